"""What every kind of task offers; one file a kind beside this one.

A kind is a section (its settings), a task (labels and scores) and a head (layers, loss, decoding).
The section of a new kind needs a `kind`, a `column_kind` and `build`; see the README for one that
stands outside the package.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.data.encoded import NO_LABEL, EncodedSplit, LabelNames, Ragged, TaskColumn
from mtl_core.data.example import ColumnKind
from mtl_core.section import Section
from mtl_core.tasks.head import HeadSection, Linear
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outputs import Output, TextView

Prediction = npt.NDArray[np.generic]
"""What a head predicts for one row; each kind has its own dtype and shape."""


class TaskSection(Section):
    """The settings that all kinds of tasks share."""

    kind: str
    """The kind of task; `package.module:Class` names one that stands outside this package."""
    dataset: str | tuple[str, ...]
    """Key of the data set that holds the labels, or a list of keys: labels are merged by name."""
    column: str | dict[str, str]
    """Column of the labels; where data sets differ, a column for each: {a: intent, b: label}."""
    weight: float = Field(default=1.0, ge=0)
    """Factor of the task's loss; 0 = the task is scored but does not train."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Learning rate of the head; null = optimizer.head_lr."""
    head: HeadSection = Linear()
    """Layers between the shared encoder and the task."""
    freeze_head: bool = False
    """Keeps the head as it was initialised."""
    auxiliary: bool = False
    """The task helps the others: it trains and is scored, but does not count in the objective."""

    column_kind: ClassVar[ColumnKind | Literal["text"]]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Keys of the data sets that carry the task."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    @property
    def column_length(self) -> int:
        """What kinds with rows of a certain length ask for, in sub-words."""
        return 0

    def column_in(self, dataset: str, name: str) -> TaskColumn:
        """Returns where the task `name` finds its labels in a data set."""
        column = self.column if isinstance(self.column, str) else self.column.get(dataset, "")
        return TaskColumn(name, column, self.column_kind, length=self.column_length)

    def build(self, name: str, labels: LabelNames) -> "Task":
        """Builds the task for its labels."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions of a task for a split, one entry a row.

    Attributes:
        predicted: What the head decoded, for instance label ids (1,) or (words,).
        gold: Gold labels in the same shape; an empty array for a row without labels.
        rows: The rows themselves, of one data set; None where nothing needs them.
    """

    predicted: Sequence[Prediction]
    gold: Sequence[Prediction]
    rows: EncodedSplit | None = None

    def is_right(self) -> npt.NDArray[np.bool_]:
        """Returns whether all labels of each row are right, (rows,); none = right."""
        pairs = zip(self.predicted, self.gold, strict=True)
        return np.array([not len(gold) or np.array_equal(guess, gold) for guess, gold in pairs])

    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Returns which rows carry labels of the task, (rows,)."""
        return np.array([len(gold) > 0 for gold in self.gold])

    def labelled(self) -> tuple[list[Prediction], list[Prediction]]:
        """Returns predictions and gold labels of the rows that carry labels."""
        pairs = [(p, g) for p, g in zip(self.predicted, self.gold, strict=True) if len(g)]
        return [predicted for predicted, _ in pairs], [gold for _, gold in pairs]


class Head(nn.Module, ABC):
    """The layers of one task, its loss, and how its logits are read."""

    @abstractmethod
    def forward(self, hidden: Hidden) -> Tensor:
        """Returns the logits of a batch."""

    @abstractmethod
    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the loss summed over the labels of a batch, a scalar; 0 when it has none."""

    @abstractmethod
    def decode(self, logits: Tensor, batch: Batch) -> list[Prediction]:
        """Returns the prediction for each row of a batch, on the CPU, as `Outcome` holds them."""


class Task(ABC):
    """One task of a run: its labels and scores, and the head that it needs.

    Attributes:
        name: Its key in the study file.
        labels: Its labels over all data sets.
        main_score: The score that objectives combine; at most 1, higher is better.
        is_auxiliary: Whether objectives leave it out; set by `build_task`.
    """

    name: str
    labels: LabelNames
    main_score: str
    is_auxiliary: bool = False

    @abstractmethod
    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head, drawn from torch's global generator."""

    @abstractmethod
    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns score name -> value over the labelled rows of a split; NaN without any."""

    def collect(self, outcome: Outcome) -> Outcome:
        """Returns one row for each thing that is scored, where that is not a row of the data.

        What comes after sees this outcome, joined over the data sets of the task.
        """
        return outcome

    def calibrate(self, head: Head, outcome: Outcome) -> None:  # noqa: B027 (most have none)
        """Sets what a head learns from dev and not by gradients, such as thresholds."""

    def finish(self, head: Head, outcome: Outcome) -> Outcome:
        """Returns the outcome as it is scored, with what `calibrate` set."""
        return outcome

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns whether each row is right, (rows,); None = the kind knows no right or wrong."""
        return outcome.is_right()

    @abstractmethod
    def outputs(
        self, head: Head, logits: Tensor, batch: Batch, texts: Sequence[TextView]
    ) -> list[Output]:
        """Returns what `Predictor` says of each text of a batch."""


def build_task(name: str, section: TaskSection, labels: LabelNames) -> Task:
    """Builds a task for its labels."""
    task = section.build(name, labels)
    task.is_auxiliary = section.auxiliary
    return task


def gold_labels(rows: EncodedSplit, task_name: str) -> list[Prediction]:
    """Returns the labels of every row, an empty array where there are none."""
    labels = rows.labels[task_name]
    if isinstance(labels, Ragged):
        found = (labels.row(number) for number in range(len(rows)))
        return [np.array(ids[ids != NO_LABEL], dtype=np.int64) for ids in found]
    if np.issubdtype(labels.dtype, np.floating):
        return [row[~np.isnan(row)] for row in labels.reshape(len(labels), -1)]
    return [
        np.array(row[row != NO_LABEL], dtype=np.int64) for row in labels.reshape(len(labels), -1)
    ]


def by_label(names: Sequence[str], values: Sequence[float], score: str) -> Mapping[str, float]:
    """Returns "score/label" -> value, the names under which scores of single labels appear."""
    return {f"{score}/{name}": float(value) for name, value in zip(names, values, strict=True)}
