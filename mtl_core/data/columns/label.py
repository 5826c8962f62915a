"""The column of classification: one label per sentence or pair."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Int32Array, Int64Array
from mtl_core.data.columns.cells import Cell, list_in, short_of
from mtl_core.data.columns.ids import IdColumn, look_up
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.example import Example, LabelValue
from mtl_core.data.source import Source
from mtl_core.errors import DataError


class LabelColumn(IdColumn[LabelNames]):
    """One label per row: ids, (rows,), int32; `NO_LABEL` = missing."""

    __slots__ = ()

    kind: ClassVar = "label"
    holds: ClassVar = "one label per sentence"
    label_type: ClassVar = LabelNames
    is_group: ClassVar = True
    is_filter: ClassVar = True

    @classmethod
    def from_cell(cls, cell: Cell) -> str:
        """Returns the label."""
        value = cell.value
        if isinstance(value, str) and list_in(value, cell.where) is not None:
            raise DataError(
                f"{cell.where}: expected one label, found the list {short_of(value)}; a task of "
                "kind multilabel takes lists"
            )
        return cell.label(value)

    @classmethod
    def rename(cls, value: LabelValue, rename: Callable[[str], str]) -> str:
        """Returns another name for the label."""
        return rename(str(value))

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> LabelNames:
        """Returns the names of the labels with their counts."""
        self.check_labelled(splits, where)
        return LabelNames.collect(
            {
                split: [str(value) for row in rows if (value := self.value(row)) is not None]
                for split, rows in splits.items()
            }
        )

    def encode(
        self, examples: Sequence[Example], labels: LabelNames, source: Source | None
    ) -> Int32Array:
        """Returns the id of every row's label, (rows,)."""
        ids = {label: number for number, label in enumerate(labels.all)}
        values = [self.value(example) for example in examples]
        return np.array(
            [NO_LABEL if value is None else ids[str(value)] for value in values], dtype=np.int32
        )

    def count_ids(self, values: Int32Array, size: int) -> Int64Array:
        """Returns the rows of each label, (size,)."""
        return np.bincount(values[values != NO_LABEL], minlength=size)

    def num_beyond(self, values: Int32Array, first: int) -> int:
        """Returns the number of rows with a label at or above `first`."""
        return int((values >= first).sum())

    def renumber(self, values: Int32Array, old: LabelNames, new: LabelNames) -> Int32Array:
        """Returns the ids by the new numbering, (rows,)."""
        return values if old.all == new.all else look_up(np.asarray(values), old, new)
