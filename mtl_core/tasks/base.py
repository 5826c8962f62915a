"""The contract of tasks: settings, labels, head, loss, scores; one file per kind beside this one.

A kind is a section (its settings), a task (labels, scores, what it says of a text) and a head
(layers, loss, decoding). The section of a new kind needs `make_column` and `build`;
docs/own_task.md has one that stands outside the package, and `mtl_core.testing` checks it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.data.collate import BatchChange
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.layouts.base import Layout
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.data.source import Source
from mtl_core.section import Section
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.decoding.generate import Writing
from mtl_core.tasks.head import HeadSection, Linear
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, TextView, to_cell, to_plain
from mtl_core.tasks.rescoring import Rescore, each_draw
from mtl_core.tasks.row_texts import RowTexts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class TaskSection(Section, ABC):
    """The settings that all kinds of tasks share."""

    pipeline: ClassVar[str | None] = None
    """What the Hugging Face hub calls such a task (`pipeline_tag`); None where it has no name."""
    kind: str
    """The kind of task; `package.module:Class` names one that stands outside this package."""
    dataset: str | tuple[str, ...]
    """Key of the data set that holds the labels, or a list of keys: labels are merged by name."""
    column: str | Annotated[tuple[str, ...], Field(min_length=2)] | dict[str, str]
    """Column of the labels; where data sets differ, a column for each: {a: intent, b: label}.

    For `multilabel` also a list of columns, one for each label, that hold 0 or 1.
    """
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

    takes_columns: ClassVar[bool] = False
    """Whether the kind takes a list of columns."""
    at_decoding: ClassVar[tuple[str, ...]] = ()
    """The settings that are read when logits are decoded, and in no loss: a model that is trained
    can have others. A head that is made with others has the same parameters and saved buffers."""
    writes: ClassVar[bool] = False
    """Whether the kind writes text, for which its head needs `HiddenSize.writer`."""
    looks_ahead: ClassVar[bool] = False
    """Whether the kind makes no sense where sub-words see those before them alone."""
    has_layers: ClassVar[bool] = True
    """Whether its head has layers of its own, for which `head`, `learning_rate` and `freeze_head`
    are settings."""

    @model_validator(mode="after")
    def _check_column(self) -> "TaskSection":
        if isinstance(self.column, tuple) and not self.takes_columns:
            raise ValueError(
                f"column: expected one column for kind {self.kind}, found a list of "
                f"{len(self.column)}; kind multilabel takes one for each label"
            )
        return self

    @model_validator(mode="after")
    def _check_layers(self) -> "TaskSection":
        for key in () if self.has_layers else ("head", "learning_rate", "freeze_head"):
            if getattr(self, key) != TaskSection.model_fields[key].default:
                raise ValueError(
                    f"{key}: kind {self.kind} has no layers of its own, the model's own write; "
                    "leave it out"
                )
        return self

    @property
    def datasets(self) -> tuple[str, ...]:
        """Keys of the data sets that carry the task."""
        return (self.dataset,) if isinstance(self.dataset, str) else self.dataset

    def column_in(self, dataset: str, name: str) -> AnyColumn:
        """Returns where the task `name` finds its labels in a data set."""
        column = self.column
        if isinstance(column, tuple):
            return self.make_column(name, ", ".join(column))
        return self.make_column(
            name, column if isinstance(column, str) else column.get(dataset, "")
        )

    @abstractmethod
    def make_column(self, name: str, column: str) -> AnyColumn:
        """Returns the column `column` of the task `name`, of the class that its labels need."""

    @abstractmethod
    def build(self, name: str, labels: Any) -> "Task":
        """Builds the task for its labels: what the `collect` of its column returns."""

    def layout(self, *, reads_targets: bool) -> Layout:
        """Returns how the rows of its data sets are made.

        Args:
            reads_targets: Of kinds that write: whether source and target stand in one row, as
                `Writer.reads_targets` has it.
        """
        return Sentences()

    def batch_change(self, name: str, tokenizer: "PreTrainedTokenizerFast") -> BatchChange | None:
        """Returns the change that the task `name` makes to every batch; None = it makes none.

        Raises:
            ConfigError: The tokenizer lacks what the change needs.
        """
        return None


class Head(nn.Module, ABC):
    """The layers of one task, its loss, and how its logits are read.

    `forward` comes first; `loss_sum` and `decode` take its logits and the batch they were made of.
    What `calibrate` sets has to be a parameter or buffer, so that it is saved with the model.
    """

    @abstractmethod
    def forward(self, hidden: Hidden) -> Tensor:
        """Returns the logits of a batch."""

    @abstractmethod
    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the loss summed over the labels of a batch, a scalar; 0 when it has none.

        A sum, no mean: the step divides by the labels of all its micro-batches and workers. The 0
        has to hang on the parameters, too, since other workers wait for their gradients.
        """

    @abstractmethod
    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the prediction for each row of a batch, on the CPU, as `Outcome` holds them.

        It must not depend on the other rows: they are sorted by length and shared by workers.
        """


class Task(ABC):
    """One task of a run: its labels and scores, and the head that it needs.

    An evaluation calls, after the head has decoded all rows: `collect` for each data set,
    `calibrate` (on dev only) for all of them together, `finish` for each, and `score`. The
    predictor calls `read` for each batch, then `says`.

    Attributes:
        name: Its key in the study file.
        labels: Its labels over all data sets.
        main_score: The score that objectives combine; at most 1, higher is better.
        speaks: Whether it predicts something for a text; if not, predictors leave it out.
        fills_masks: Whether its head says which sub-words may stand in the place of a mask.
        writing: How it writes texts, with the model's writer; None = it writes none.
        is_auxiliary: Whether objectives leave it out; set by `build_task`.
        writes: Whether its head uses the writer, in batches of its own; set by `build_task`.
    """

    name: str
    labels: Labels
    main_score: str
    speaks: bool = True
    fills_masks: bool = False
    writing: Writing | None = None
    is_auxiliary: bool = False
    writes: bool = False

    @abstractmethod
    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head; its weights are drawn from torch's global generator."""

    @abstractmethod
    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns score name -> value over the labelled rows of a split; NaN without any."""

    def collect(self, outcome: Outcome) -> Outcome:
        """Returns one entry for each thing that is scored, where that is not a row of the data.

        Called first, for each data set by itself. All later calls see the outcome that it returns;
        `calibrate` and `score` see it joined over the data sets of the task.
        """
        return outcome

    def calibrate(self, head: Head, outcome: Outcome) -> None:  # noqa: B027 (most have none)
        """Sets what a head learns from dev and not by gradients, such as thresholds.

        Called on dev only, so that scores on test use what dev has set.
        """

    def finish(self, head: Head, outcome: Outcome) -> Outcome:
        """Returns the outcome as it is scored, with what `calibrate` set."""
        return outcome

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns whether each row is right, (rows,); None = rows are neither right nor wrong."""
        return outcome.is_right()

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors | None:
        """Returns where the task errs on the rows of a data set; None = the kind does not tell.

        Args:
            head: The head, with what `calibrate` has set.
            outcome: What `read` returned for each row, in place of what was decoded; not collected.
            texts: The texts of the rows.
        """
        return None

    def rescore(self, outcome: Outcome) -> Rescore | None:
        """Returns what computes the main score of rows that are drawn anew.

        By it the interval of a score allows for other rows. As it stands it scores one draw after
        the other, which takes as long as a thousand calls of `score`; the kinds of this package
        compute theirs from sums over rows.

        Returns:
            What takes draws of the outcome's rows; None = rows that stand several times cannot be
            scored, and intervals allow for other seeds alone.
        """
        return each_draw(lambda counts: self.score(outcome.drawn(counts))[self.main_score])

    def read(self, head: Head, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns what `says` needs of each row of a batch, on the CPU; what is decoded, mostly."""
        return head.decode(logits, batch)

    @abstractmethod
    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> Sequence[Output]:
        """Returns what `Predictor` says of each text.

        Args:
            head: The head.
            rows: What `read` returned for each row.
            texts: The texts.
            source: Which text each row is a piece of; None = each text is a row.

        Returns:
            One output per text, in the order of the texts.
        """

    def cells(self, output: Output) -> dict[str, str]:
        """Returns what it says of a text as cells: ending of the column's name -> cell.

        The columns are the same for every output, also for None.
        """
        return {"": to_cell(to_plain(output))}


def by_label(names: Sequence[str], values: Sequence[float], score: str) -> Mapping[str, float]:
    """Returns "score/label" -> value, the names under which scores of single labels appear."""
    return {f"{score}/{name}": float(value) for name, value in zip(names, values, strict=True)}
