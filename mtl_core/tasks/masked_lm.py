"""Masked language modelling: an auxiliary task on running text without labels."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

from mtl_core.data.batching import Batch
from mtl_core.data.encoded import NO_LABEL, LabelNames
from mtl_core.errors import ConfigError
from mtl_core.tasks.base import Head, Outcome, Prediction, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize, Vocabulary
from mtl_core.tasks.outputs import Output, TextView


class MaskedLm(TaskSection):
    """Hidden words of running text; scored by the accuracy of sub-words and by perplexity."""

    kind: Literal["masked_lm"] = "masked_lm"
    column: Literal[""] = ""
    """The text is its own label; there is no column."""
    auxiliary: bool = True
    """It helps the others and does not count in the objective; false = its accuracy does."""
    probability: float = Field(default=0.15, gt=0, lt=1)
    """Share of the words that are hidden, at least one a chunk."""
    chunk: int = Field(default=128, ge=8)
    """Sub-words that running text is cut into; no more than the encoder takes."""

    column_kind: ClassVar = "text"

    @property
    def column_length(self) -> int:
        """Length of the pieces that the text is cut into."""
        return self.chunk

    def build(self, name: str, labels: LabelNames) -> "MaskedLmTask":
        """Builds the task."""
        return MaskedLmTask(name, self)


class MaskedLmTask(Task):
    """Accuracy and perplexity of hidden sub-words; see `Task`."""

    main_score = "accuracy"

    def __init__(self, name: str, section: MaskedLm) -> None:
        self.name = name
        self.labels = LabelNames((), ())
        self.probability = section.probability
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
        body = self._section.head.build(size.hidden, size.vocabulary.width)
        return MaskedLmHead(body, size.vocabulary, self.name)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns the accuracy of hidden sub-words, and perplexity: exp of their mean loss."""
        loss, right, count = np.sum(outcome.predicted, axis=0)
        return {"accuracy": float(right / count), "perplexity": float(np.exp(loss / count))}

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: a chunk is no sentence to get right."""
        return None

    def outputs(
        self, head: Head, logits: Tensor, batch: Batch, texts: Sequence[TextView]
    ) -> list[Output]:
        """Not used: nothing is hidden in a text to predict."""
        raise NotImplementedError


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
        self._project = vocabulary.tie()
        self._task_name = task_name

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits of the hidden sub-words of the batch, (hidden sub-words, vocabulary)."""
        is_hidden = hidden.batch.labels[self._task_name] != NO_LABEL
        vectors = self.norm(gelu(self.body(hidden.tokens[is_hidden])))
        return self._project(vectors, self.bias)

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the mean loss of each row's hidden sub-words, summed over rows.

        A row counts as one label however much of it is hidden, so that the sizes of batches are
        known before anything is drawn.
        """
        is_hidden = labels != NO_LABEL
        per_row = is_hidden.sum(dim=1, keepdim=True).expand_as(labels)[is_hidden]
        losses = cross_entropy(logits.float(), labels[is_hidden], reduction="none")
        return (losses / per_row).sum()

    def decode(self, logits: Tensor, batch: Batch) -> list[Prediction]:
        """Returns (summed loss, right, count) of each row's hidden sub-words, (3,), float64."""
        labels = batch.labels[self._task_name]
        is_hidden = labels != NO_LABEL
        gold = labels[is_hidden]
        parts = (
            cross_entropy(logits.float(), gold, reduction="none"),
            (logits.argmax(dim=-1) == gold).float(),
            torch.ones_like(gold, dtype=torch.float32),
        )
        table = torch.zeros(*labels.shape, 3, device=logits.device)
        table[is_hidden] = torch.stack(parts, dim=-1)
        return list(table.sum(dim=1).double().cpu().numpy())
