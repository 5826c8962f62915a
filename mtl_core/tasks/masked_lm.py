"""Masked language modelling: an auxiliary task on running text without labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu

from mtl_core.data.arrays import NO_LABEL, Int64Array
from mtl_core.data.batching import Batch
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.text import TextColumn
from mtl_core.data.layouts.chunks import Chunks
from mtl_core.data.source import Source
from mtl_core.errors import ConfigError
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize, Vocabulary
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, TextView
from mtl_core.tasks.rescoring import Rescore, ratio
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.tasks.token_losses import row_means_summed, row_totals, token_errors

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class MaskedLm(TaskSection):
    """Predicts masked words of running text; scored by accuracy and perplexity of sub-words."""

    pipeline: ClassVar[str | None] = "fill-mask"
    looks_ahead: ClassVar[bool] = True
    kind: Literal["masked_lm"] = "masked_lm"
    column: Literal[""] = ""
    """The text is its own label; there is no column."""
    auxiliary: bool = True
    """It helps the others and does not count in the objective; false = its accuracy does."""
    probability: float = Field(default=0.15, gt=0, lt=1)
    """Share of the words that are hidden, at least one per chunk."""
    chunk: int = Field(default=128, ge=8)
    """Sub-words that running text is cut into; no more than the encoder takes."""

    def make_column(self, name: str, column: str) -> TextColumn:
        """Returns the column of the text itself."""
        return TextColumn(name, column)

    def layout(self, *, reads_targets: bool) -> Chunks:
        """Returns the text in chunks."""
        return Chunks(self.chunk)

    def batch_change(self, name: str, tokenizer: "PreTrainedTokenizerFast") -> "Masking":
        """Returns the masking."""
        return Masking.of(tokenizer, name, probability=self.probability)

    def build(self, name: str, labels: NoLabels) -> "MaskedLmTask":
        """Builds the task."""
        return MaskedLmTask(name, self)


@dataclass(frozen=True, slots=True)
class Masking:
    """How the words of a chunk are hidden.

    Of the chosen words 80 % become the mask token, 10 % random tokens and 10 % stay (Devlin et al.
    2019, https://arxiv.org/abs/1810.04805); all sub-words of a word share its fate, the "whole
    word masking" that the authors added later.

    Attributes:
        task_name: The masked-language-modelling task.
        probability: Share of the words that are chosen; at least one per row.
        mask_id: Id of the tokenizer's mask token.
        vocabulary: Size of the tokenizer's vocabulary, from which random tokens are drawn.
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

    def __call__(self, batch: Batch, rows: Int64Array, *, seed: tuple[int, ...]) -> Batch:
        """Returns the batch with words hidden, and the hidden sub-words as labels, (batch, seq).

        What is hidden in a row depends on the seed and the row alone, so that it is the same
        however many workers share the batch.
        """
        token_ids = batch.token_ids.numpy().copy()  # the batch that came in stays as it was
        labels = np.full_like(token_ids, NO_LABEL)
        starts, ends = batch.words.starts.numpy(), batch.words.ends.numpy()
        num_words = batch.words.is_there.sum(dim=1).numpy()
        for place, row in enumerate(rows):
            # One generator per row, seeded by (run, epoch, row), and always the same draws in the
            # same order: the words, their fates, then random tokens.
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
        # A row that had no label before must have none after: its loss does not count.
        missing = batch.labels[self.task_name] == NO_LABEL
        hidden[missing] = NO_LABEL
        return replace(
            batch,
            token_ids=torch.from_numpy(token_ids),
            labels={**batch.labels, self.task_name: hidden},
        )


class MaskedLmTask(Task):
    """Accuracy and perplexity of hidden sub-words; see `Task`."""

    main_score = "accuracy"
    speaks = False
    fills_masks = True

    def __init__(self, name: str, section: MaskedLm) -> None:
        self.name = name
        self.labels = NoLabels()
        self._section = section

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head over the encoder's own word embeddings.

        Raises:
            ConfigError: The encoder shows no word embeddings.
        """
        if size.vocabulary is None:
            raise ConfigError(
                f"run.tasks.{self.name}.kind: masked_lm needs an encoder with word embeddings"
            )
        # Encoders such as ALBERT have word embeddings narrower than their hidden states.
        body = self._section.head.build(size.hidden, size.vocabulary.width)
        return MaskedLmHead(body, size.vocabulary, self.name)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns the accuracy of hidden sub-words, and perplexity: exp of their mean loss."""
        # Over sub-words, unlike the loss, in which every row weighs the same.
        loss, right, count = np.sum(outcome.predicted, axis=0)  # (rows, 3) -> (3,)
        return {"accuracy": float(right / count), "perplexity": float(np.exp(loss / count))}

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the accuracy of rows that are drawn anew."""
        return ratio([row[1:3] for row in outcome.predicted])

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: a chunk is no sentence to get right."""
        return None

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors:
        """Returns the pieces of text whose hidden sub-words are foreseen worst."""
        return token_errors(outcome.predicted, texts, texts.row)

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns nothing: no word of a text to predict is hidden."""
        return [None] * len(texts)


class MaskedLmHead(Head):
    """A layer, GELU, layer norm, and the encoder's word embeddings as output weights.

    Only hidden positions are computed: they are few, and each costs a product with the whole
    vocabulary.
    """

    def __init__(self, body: nn.Module, vocabulary: Vocabulary, task_name: str) -> None:
        super().__init__()
        self.body = body
        self.norm = nn.LayerNorm(vocabulary.width)
        self.bias = nn.Parameter(torch.zeros(vocabulary.size))
        # Now and not in `forward`: before the first step it must be known whether all rows of the
        # table train, or only those of words that are read.
        self._project = vocabulary.tie()
        self._task_name = task_name

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits of the hidden sub-words of the batch, (hidden sub-words, vocabulary)."""
        is_hidden = hidden.batch.labels[self._task_name] != NO_LABEL  # (batch, seq)
        # (hidden sub-words, width); with none of them it is empty, and the loss is still joined to
        # the parameters.
        vectors = self.norm(gelu(self.body(hidden.tokens[is_hidden])))
        return self._project(vectors, self.bias)

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the mean loss of each row's hidden sub-words, summed over rows."""
        return row_means_summed(logits, labels)

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns (summed loss, right, count) of each row's hidden sub-words, (3,), float64."""
        return row_totals(logits, batch.labels[self._task_name])
