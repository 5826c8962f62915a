"""Hidden states of a batch, with the vectors of words and sentences that are made of them."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from mtl_core.data.batching import Batch


class Hidden:
    """The encoder's output for a batch; vectors of words and sentences are made when asked for.

    They are made once for all heads of the batch, and never where no head asks.

    Attributes:
        tokens: Hidden states of all sub-words, (batch, seq, hidden).
        batch: The batch.
    """

    def __init__(
        self, tokens: Tensor, batch: Batch, pooler: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        self.tokens = tokens
        self.batch = batch
        self._pooler = pooler

    @cached_property
    def sentence(self) -> Tensor:
        """One vector per sentence, followed by its extra features, (batch, hidden + features)."""
        pooled = self._pooler(self.tokens, self.batch.attention_mask)  # (batch, hidden)
        features = self.batch.features
        return pooled if features is None else torch.cat([pooled, features.to(pooled.dtype)], -1)

    @cached_property
    def words(self) -> Tensor:
        """The hidden state of each word's first sub-word, (batch, words, hidden)."""
        return gather_positions(self.tokens, self.batch.words.starts)


def gather_positions(values: Tensor, positions: Tensor) -> Tensor:
    """Returns the vectors at positions, (batch, count, size).

    Args:
        values: (batch, seq, size).
        positions: Positions in the rows, (batch, count), int64, in [0, seq).
    """
    batch, length, size = values.shape
    # Row b of (batch * seq, size) begins at b * seq.
    first = torch.arange(batch, device=values.device).unsqueeze(1) * length
    # Whole vectors at once: several times quicker than a `gather` of every single number.
    found = values.reshape(-1, size).index_select(0, (positions + first).flatten())
    return found.view(batch, positions.shape[1], size)
