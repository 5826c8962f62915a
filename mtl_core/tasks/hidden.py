"""What a head sees: the encoder's output for a batch, and vectors of sentences and words."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mtl_core.data.batching import Batch


class TiedProjection:
    """The word embeddings as the weights of a layer: vectors -> a score for each sub-word."""

    def __init__(self, table: nn.Embedding) -> None:
        # Not a module: the encoder's parameter must not be saved and optimised twice.
        self._table = table

    def __call__(self, vectors: Tensor, bias: Tensor) -> Tensor:
        """Returns logits, (..., vocabulary).

        Args:
            vectors: What a head computed, (..., width of the word embeddings).
            bias: The head's own bias, (vocabulary,).
        """
        return linear(vectors, self._table.weight, bias)


class Vocabulary:
    """The encoder's word embeddings, offered to heads as output weights.

    As long as no head takes them, a step trains only the embeddings of the words that it reads.

    Attributes:
        size: Number of sub-words.
        width: Numbers per sub-word.
        is_tied: Whether a head has taken them.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self._table = table
        self.size, self.width = table.num_embeddings, table.embedding_dim
        self.is_tied = False

    def tie(self) -> TiedProjection:
        """Returns them as a layer; from now on every step trains the embeddings of all words.

        Input and output weights are then the same (Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859).
        """
        self.is_tied = True
        return TiedProjection(self._table)


@dataclass(frozen=True, slots=True)
class HiddenSize:
    """Sizes that a head is made for.

    Attributes:
        hidden: Width of the encoder's output.
        features: Extra dense numbers that follow a sentence's vector.
        vocabulary: The encoder's word embeddings; None where they are more than a table.
    """

    hidden: int
    features: int = 0
    vocabulary: Vocabulary | None = None


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
