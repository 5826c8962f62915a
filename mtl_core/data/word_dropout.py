"""Word dropout: words that are hidden in training, so that a model learns from what is around."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch
from mtl_core.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class WordDropout:
    """Puts the mask token in the place of some words of a text; its labels stay as they are.

    Other words are hidden in every epoch (Iyyer et al. 2015, https://aclanthology.org/P15-1162,
    section 3.2, who leave them out; here their places stay, as tags of words need them). All
    sub-words of a word are hidden together, special tokens never.

    Attributes:
        share: Probability that a word is hidden.
        mask_id: Id of the tokenizer's mask token.
    """

    share: float
    mask_id: int

    @classmethod
    def of(cls, tokenizer: "PreTrainedTokenizerFast", *, share: float) -> Self | None:
        """Makes it for a tokenizer; None where no word is to be hidden.

        Raises:
            ConfigError: The tokenizer has no mask token.
        """
        if share == 0:
            return None
        if tokenizer.mask_token_id is None:
            raise ConfigError(
                "run.training.word_dropout: needs a tokenizer with a mask token, which this "
                "encoder's has not; leave it out"
            )
        return cls(share, int(tokenizer.mask_token_id))

    def __call__(self, batch: Batch, rows: Int64Array, *, seed: tuple[int, ...]) -> Batch:
        """Returns the batch with words hidden.

        Args:
            batch: The batch, on the CPU.
            rows: Its row numbers, (batch,): what is hidden depends on them and the seed alone, so
                that it is the same however many workers share the batch.
            seed: (run, epoch).
        """
        words = batch.words
        is_hidden = words.is_there.numpy().copy()  # (batch, words)
        for place, row in enumerate(rows):
            # One draw per word of the text, cut off or not: padding must not shift the draws.
            draws = np.random.default_rng((*seed, int(row))).random(int(words.counts[place]))
            is_hidden[place, : len(draws)] &= draws < self.share
        # Marked at the starts, taken back at the ends, and summed up: 1 within hidden words.
        # One place more than sub-words, since the last word may end behind the last of them.
        steps = np.zeros((len(rows), batch.token_ids.shape[1] + 1), dtype=np.int64)
        row_of, word_of = np.nonzero(is_hidden)
        np.add.at(steps, (row_of, words.starts.numpy()[row_of, word_of]), 1)
        np.add.at(steps, (row_of, words.ends.numpy()[row_of, word_of]), -1)
        hidden = torch.from_numpy(steps.cumsum(axis=1)[:, :-1] > 0)  # (batch, seq)
        return replace(batch, token_ids=batch.token_ids.masked_fill(hidden, self.mask_id))
