"""The column of multilabel tasks: a set of labels per sentence or pair."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Int32Array, Int64Array
from mtl_core.data.columns.cells import Cell, list_in
from mtl_core.data.columns.ids import IdColumn, new_ids
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.example import Example
from mtl_core.data.source import Source


class LabelSetColumn(IdColumn[LabelNames]):
    """A set of labels per row: 0 or 1 for each, (rows, labels), int32; `NO_LABEL` = missing."""

    __slots__ = ()

    kind: ClassVar = "labels"
    holds: ClassVar = "a set of labels"
    label_type: ClassVar = LabelNames
    may_be_empty: ClassVar = True

    @classmethod
    def from_cell(cls, cell: Cell) -> tuple[str, ...]:
        """Returns the labels of a list, of a string with separators, or of a single number."""
        if not isinstance(cell.value, str):
            is_list = isinstance(cell.value, Sequence) and not isinstance(cell.value, bytes)
            items = cell.items() if is_list else (cell.value,)
        elif (listed := list_in(cell.value, cell.where, brackets=("[]", "()", "{}"))) is not None:
            items = listed
        else:
            parts = (part.strip() for part in cell.value.split(cell.separator))
            items = tuple(part for part in parts if part)  # "" is the empty set
        return tuple(cell.label(item) for item in items)

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> LabelNames:
        """Returns the names of the labels of all sets, with their counts."""
        self.check_labelled(splits, where)
        return LabelNames.collect(
            {
                split: [label for row in rows for label in self._set_of(row)]
                for split, rows in splits.items()
            }
        )

    def encode(
        self, examples: Sequence[Example], labels: LabelNames, source: Source | None
    ) -> Int32Array:
        """Returns 0 or 1 for each label, (rows, labels)."""
        ids = {label: number for number, label in enumerate(labels.all)}
        # One column where all sets are empty: another data set may have labels for the task.
        array = np.zeros((len(examples), max(len(ids), 1)), dtype=np.int32)
        for number, example in enumerate(examples):
            array[number, [ids[label] for label in self._set_of(example)]] = 1
            # A missing set is not an empty one: it neither trains nor is scored.
            if self.value(example) is None:
                array[number] = NO_LABEL
        return array

    def count_ids(self, values: Int32Array, size: int) -> Int64Array:
        """Returns the rows of each label, (size,)."""
        # Where no set has a label there is a column all the same.
        return np.asarray((values[:, :size] == 1).sum(axis=0), dtype=np.int64)

    def num_beyond(self, values: Int32Array, first: int) -> int:
        """Returns the number of rows with a label at or above `first`."""
        return int((values[:, first:] == 1).any(axis=1).sum())

    def renumber(self, values: Int32Array, old: LabelNames, new: LabelNames) -> Int32Array:
        """Moves each label's column to its place among the new ones."""
        if old.all == new.all:
            return values
        # 0 for labels that only other data sets hold: none of these rows carries them.
        wide = np.zeros((len(values), len(new.all)), dtype=np.int32)
        wide[:, new_ids(old, new)] = values  # (rows, old labels) -> (rows, new labels)
        # A missing row is missing in all columns, the new ones included.
        wide[values[:, 0] == NO_LABEL] = NO_LABEL
        return wide

    def _set_of(self, example: Example) -> Sequence[str]:
        return self.value(example) or ()  # type: ignore[return-value]
