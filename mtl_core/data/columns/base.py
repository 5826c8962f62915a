"""The contract of label columns: from cells to padded labels; one file per kind of column."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mtl_core.data.arrays import BoolArray, Int64Array, LabelArray, Ragged
from mtl_core.data.columns.cells import Cell
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.notes import SplitNotes
from mtl_core.data.source import Source
from mtl_core.errors import DataError

NamesT = TypeVar("NamesT", bound=Labels)
ArrayT = TypeVar("ArrayT", bound=LabelArray)

Gold = npt.NDArray[np.generic]
"""The labels of one row; an empty array where it has none."""


@dataclass(frozen=True, slots=True)
class Column(ABC, Generic[NamesT, ArrayT]):
    """Where a task finds its labels in a data set, and all that its kind of labels asks for.

    `NamesT` is what is known of the labels, `ArrayT` the array that they are encoded into. The
    order of calls: `from_cell` where a table is read, `collect` over all splits, `encode` for each
    split; then, when arrays are opened, `labels_from`, and `merge` and `renumber` where several
    data sets carry the task; `count` for the plan, `pad` for each batch, `gold` for scores.

    Attributes:
        task_name: The task's key in the study file.
        column: The column.
        kind: The name of the kind of column.
        holds: What such a column holds, for messages: "the column holds <holds>".
        label_type: What its labels are kept in.
        is_read: Whether files have such a column at all.
        is_group: Whether its texts make groups, by which splits are stratified.
        is_filter: Whether it has one text per row, by which rows can be filtered.
        is_per_word: Whether it has a value for each word.
        may_be_empty: Whether an empty cell of a table is a value; if not, the label is missing.
        takes_features: Whether a head on it sees the extra dense numbers of a sentence.
    """

    task_name: str
    column: str

    # Of the kind, not of the task: these are asked before there is any data.
    kind: ClassVar[str]
    holds: ClassVar[str]
    label_type: ClassVar[type[Labels]]
    is_read: ClassVar[bool] = True
    is_group: ClassVar[bool] = False
    is_filter: ClassVar[bool] = False
    is_per_word: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = False
    takes_features: ClassVar[bool] = True

    @property
    def blank(self) -> frozenset[str]:
        """Labels that say that nothing is there; a model that knows only these knows nothing."""
        return frozenset()

    @property
    def reads(self) -> Mapping[str, ColumnKind]:
        """The columns of a file that it is read from -> what each is read as."""
        return {self.column: self.kind} if self.is_read else {}

    @classmethod
    def from_cell(cls, cell: Cell) -> LabelValue:
        """Returns the value of a cell of a table.

        Raises:
            DataError: A table cannot hold such a column, or the cell does not fit.
        """
        raise DataError(f"{cell.where}: a table cannot hold {cls.holds}")

    @classmethod
    def rename(cls, value: LabelValue, rename: Callable[[str], str]) -> LabelValue:
        """Returns a value with other names for its labels, where it has labels with names."""
        return value

    @abstractmethod
    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> NamesT:
        """Returns what is known of the labels over all splits.

        Raises:
            DataError: The train or dev split holds no label, or one is not allowed.
        """

    def labels_from(self, plain: Mapping[str, Any]) -> NamesT:
        """Reads labels from what their `to_json` returned."""
        labels: NamesT = self.label_type.from_json(plain)
        return labels

    def merge(self, parts: Sequence[NamesT]) -> NamesT:
        """Joins the labels of several data sets."""
        labels: NamesT = self.label_type.merge(parts)
        return labels

    @abstractmethod
    def encode(self, examples: Sequence[Example], labels: NamesT, source: Source | None) -> ArrayT:
        """Returns the labels of every row.

        Args:
            examples: What the rows are made from.
            labels: The labels of the data set.
            source: Where each row comes from; None = each example is a row.
        """

    @abstractmethod
    def renumber(self, values: ArrayT, old: NamesT, new: NamesT) -> ArrayT:
        """Returns labels numbered by `new` instead of `old`; the array itself if none changes."""

    @abstractmethod
    def pad(
        self, values: ArrayT, rows: Int64Array, is_word: BoolArray
    ) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
        """Returns the labels of a batch: ids as int64, numbers as float32.

        Args:
            values: The labels of the split.
            rows: Row numbers, (batch,).
            is_word: Where there is a word that was not cut off, (batch, words).
        """

    @abstractmethod
    def missing(self, labels: Tensor) -> Tensor:
        """Returns labels of the same shape and dtype, all of them missing."""

    @abstractmethod
    def count(self, values: ArrayT, word_starts: Ragged) -> Int64Array:
        """Returns how many labels of each row the loss counts, (rows,).

        Args:
            values: The labels of the split.
            word_starts: Per word its first sub-word; -1 = cut off.
        """

    @abstractmethod
    def num_labelled(self, values: ArrayT) -> int:
        """Returns the number of rows that have labels."""

    @abstractmethod
    def gold(self, values: ArrayT) -> list[Gold]:
        """Returns the labels of every row, an empty array where there are none."""

    def count_ids(self, values: ArrayT, size: int) -> Int64Array:
        """Returns how often each label id stands in a split, (size,); 0 where labels have none."""
        return np.zeros(size, dtype=np.int64)

    def num_beyond(self, values: ArrayT, first: int) -> int:
        """Returns the number of rows with a label id at or above `first`."""
        return 0

    def inspect(self, values: ArrayT, labels: NamesT, notes: SplitNotes) -> None:
        """Notes what is odd about the labels of a split, where a kind has something to look for."""

    def num_scored(self, values: ArrayT, source: Source | None) -> int:
        """Returns how many things are scored: rows with labels, unless a kind scores others."""
        return self.num_labelled(values)

    def value(self, example: Example) -> LabelValue | None:
        """Returns what an example has in the column, None when it lacks it."""
        return example.labels.get(self.column)

    def texts(self, example: Example) -> Sequence[str]:
        """Returns what an example has to write, where a kind writes; of other labels nothing."""
        return ()

    def cache_key(self) -> dict[str, Any]:
        """Returns all settings that shape the encoding, as plain values; see `Layout.cache_key`."""
        # With the kind: two kinds may have the same fields and encode the same column differently.
        return {"kind": self.kind, **asdict(self)}

    def check_labelled(self, splits: Mapping[str, Sequence[Example]], where: str) -> None:
        """Refuses data whose train or dev split has no label.

        Raises:
            DataError: One of them has none.
        """
        # Not test: nothing is chosen there, and without labels its scores are NaN.
        for split in ("train", "dev"):
            if all(self.value(example) is None for example in splits[split]):
                raise DataError(
                    f"{where}: split '{split}' holds no label of task '{self.task_name}' "
                    f"(column '{self.column}')"
                )


AnyColumn = Column[Any, Any]
"""A column of any kind, in a table that has them all."""
