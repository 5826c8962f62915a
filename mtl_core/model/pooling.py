"""Pooling: from the hidden states of a sentence to one vector."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

PoolingKind = Literal["cls", "last", "mean", "max", "attention"]
Normalization = Literal["none", "l1", "l2"]


class Pooler(nn.Module):
    """Makes one vector per sentence.

    `cls` is the hidden state of the first token, `last` that of the last one, which in a decoder
    alone has seen all others; `mean` and `max` go over all tokens that are not padding;
    `attention` is their mean weighted by a softmax over learnt scores (Lin et al. 2017,
    https://arxiv.org/abs/1703.03130, with one hop).
    """

    def __init__(self, kind: PoolingKind, hidden_size: int, normalization: Normalization) -> None:
        super().__init__()
        self._kind = kind
        self._normalization = normalization
        # Without a bias: the softmax is the same when all scores are shifted.
        self.scores = nn.Linear(hidden_size, 1, bias=False) if kind == "attention" else None

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Returns (batch, hidden) from (batch, seq, hidden) and the mask (batch, seq)."""
        vectors = self._pool(hidden, attention_mask)
        if self._normalization == "none":
            return vectors
        return normalize(vectors, p=1.0 if self._normalization == "l1" else 2.0, dim=-1)

    def _pool(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        if self._kind == "cls":
            return hidden[:, 0]
        if self._kind == "last":
            # (batch,): rows are padded behind their tokens.
            last = attention_mask.sum(dim=1) - 1
            return hidden[torch.arange(len(hidden), device=hidden.device), last]
        mask = attention_mask.unsqueeze(-1)  # (batch, seq, 1)
        if self._kind == "max":
            return hidden.masked_fill(mask == 0, float("-inf")).amax(dim=1)
        if self.scores is None:
            weights = mask.to(hidden.dtype)
            # (batch, seq, hidden) -> (batch, hidden); a sentence has its special tokens at least.
            return (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        # (batch, seq, 1), in fp32: exponentials and their sum lose digits in half precision.
        scores = self.scores(hidden).float().masked_fill(mask == 0, float("-inf"))
        return (torch.softmax(scores, dim=1).to(hidden.dtype) * hidden).sum(dim=1)
