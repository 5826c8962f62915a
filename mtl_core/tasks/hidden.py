"""What a head sees: the encoder's output for a batch, and the vectors made from it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from mtl_core.data.batching import Batch


@dataclass(frozen=True, slots=True)
class HiddenSize:
    """Sizes that a head is made for.

    Attributes:
        hidden: Width of the encoder's output.
        features: Extra dense numbers that follow a sentence's vector.
        embeddings: The encoder's word embeddings, for heads that set `shares_embeddings`.
    """

    hidden: int
    features: int = 0
    embeddings: nn.Module | None = None


class Hidden:
    """The encoder's output for a batch; vectors of words and sentences are made when asked for.

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
        """One vector a sentence with its extra features, (batch, hidden + features)."""
        pooled = self._pooler(self.tokens, self.batch.attention_mask)
        features = self.batch.features
        return pooled if features is None else torch.cat([pooled, features.to(pooled.dtype)], -1)

    @cached_property
    def words(self) -> Tensor:
        """The hidden state of each word's first sub-word, (batch, words, hidden)."""
        return gather_positions(self.tokens, self.batch.word_starts)


def gather_positions(values: Tensor, positions: Tensor) -> Tensor:
    """Returns the vectors at positions (batch, count) of (batch, seq, size)."""
    batch, length, size = values.shape
    first = torch.arange(batch, device=values.device).unsqueeze(1) * length
    # Whole vectors at once: several times quicker than a `gather` of every single number.
    found = values.reshape(-1, size).index_select(0, (positions + first).flatten())
    return found.view(batch, positions.shape[1], size)
