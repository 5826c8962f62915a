"""Whole-word masking of running text, drawn anew in every epoch."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from mtl_core.data.batching import Batch
from mtl_core.data.encoded import NO_LABEL, Int64Array
from mtl_core.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Masking:
    """How the words of a chunk are hidden.

    Of the chosen words 80 % become the mask token, 10 % random tokens and 10 % stay (Devlin et al.
    2019, https://arxiv.org/abs/1810.04805); all sub-words of a word share its fate, the "whole
    word masking" that the authors added later.

    Attributes:
        task_name: The masked-language-modelling task.
        probability: Share of the words that are chosen; at least one a row.
        mask_id: The tokenizer's mask token.
        vocabulary: Size of the tokenizer's vocabulary.
    """

    task_name: str
    probability: float
    mask_id: int
    vocabulary: int

    @classmethod
    def of(
        cls, tokenizer: "PreTrainedTokenizerFast", task_name: str, *, probability: float
    ) -> "Masking":
        """Makes the masking for a tokenizer.

        Raises:
            ConfigError: The tokenizer has no mask token.
        """
        if tokenizer.mask_token_id is None:
            raise ConfigError(
                f"run.tasks.{task_name}.kind: masked_lm needs a tokenizer with a mask token, which "
                "this encoder's has not"
            )
        return cls(task_name, probability, int(tokenizer.mask_token_id), len(tokenizer))

    def apply(self, batch: Batch, rows: Int64Array, *, seed: tuple[int, ...]) -> Batch:
        """Returns the batch with words hidden, and the hidden sub-words as labels, (batch, seq).

        What is hidden in a row depends on the seed and the row alone, so that it is the same
        however many workers share the batch.
        """
        token_ids = batch.token_ids.numpy().copy()
        labels = np.full_like(token_ids, NO_LABEL)
        starts, ends = batch.word_starts.numpy(), batch.word_ends.numpy()
        num_words = batch.is_word.sum(dim=1).numpy()
        for place, row in enumerate(rows):
            generator = np.random.default_rng((*seed, int(row)))
            count = max(1, round(self.probability * int(num_words[place])))
            chosen = generator.permutation(int(num_words[place]))[:count]
            for word, fate in zip(chosen, generator.random(len(chosen)), strict=True):
                piece = slice(starts[place, word], ends[place, word])
                labels[place, piece] = token_ids[place, piece]
                if fate < 0.8:
                    token_ids[place, piece] = self.mask_id
                elif fate < 0.9:
                    size = piece.stop - piece.start
                    token_ids[place, piece] = generator.integers(0, self.vocabulary, size)
        hidden = torch.from_numpy(labels)
        missing = batch.labels[self.task_name] == NO_LABEL
        hidden[missing] = NO_LABEL
        return replace(
            batch,
            token_ids=torch.from_numpy(token_ids),
            labels={**batch.labels, self.task_name: hidden},
        )
