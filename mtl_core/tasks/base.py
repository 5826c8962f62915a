"""What every kind of task offers; one file a kind beside this one."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor, nn

from mtl_core.data.encode import Int64Array, TaskColumn
from mtl_core.section import Section


class TaskSection(Section):
    """The settings that all kinds of tasks share."""

    dataset: str
    """Key of the data set that holds the labels."""
    column: str
    """Column of the labels in that data set."""
    weight: float = Field(default=1.0, ge=0)
    """Factor of the task's loss; 0 = the task is scored but does not train."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Learning rate of the head; null = optimizer.head_lr."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropout before the head."""
    freeze_head: bool = False
    """Keeps the head as it was initialised."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions of a task for one batch or split, one entry a sentence.

    Attributes:
        predicted: Predicted label ids of each sentence: (1,) or (words,).
        gold: Gold label ids in the same shape; an empty array for a sentence without labels.
    """

    predicted: list[Int64Array]
    gold: list[Int64Array]

    def is_right(self) -> npt.NDArray[np.bool_]:
        """Returns whether all labels of each sentence are right, (sentences,); none = right."""
        pairs = zip(self.predicted, self.gold, strict=True)
        return np.array([not len(gold) or np.array_equal(guess, gold) for guess, gold in pairs])

    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Returns which sentences carry labels of the task, (sentences,)."""
        return np.array([len(gold) > 0 for gold in self.gold])


class Task(Protocol):
    """One task of a run: its labels, head, loss and scores together."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels the head can predict; the position is the label id."""

    @property
    def main_score(self) -> str:
        """The score that objectives combine; in [0, 1], higher is better."""

    @property
    def is_per_word(self) -> bool:
        """Whether there is one label a word (else one a sentence)."""

    def make_head(self, hidden_size: int) -> nn.Module:
        """Returns a new head: (..., hidden) -> (..., num_labels)."""

    def loss_sum(self, logits: Tensor, label_ids: Tensor) -> Tensor:
        """Returns the loss summed over the labels of a batch, a scalar."""

    def score(self, outcome: Outcome, all_labels: tuple[str, ...]) -> dict[str, float]:
        """Returns score name -> value over the labelled sentences of a split."""


def column_of(name: str, section: TaskSection, *, is_per_word: bool) -> TaskColumn:
    """Returns where the task finds its labels."""
    return TaskColumn(name, section.column, "tags" if is_per_word else "label")
