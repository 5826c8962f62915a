"""The column of multilabel tasks: a set of labels per sentence or pair."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Int32Array, Int64Array
from mtl_core.data.columns.cells import Cell, list_in
from mtl_core.data.columns.ids import IdColumn, new_ids
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.source import Source
from mtl_core.errors import DataError

_BITS = {"1": True, "true": True, "0": False, "false": False}
"""How a file may write whether a row has a label, in lower case."""
_MISSING = "-1"
"""What some files write in a column of 0 and 1 where a row is not labelled."""


@dataclass(frozen=True, slots=True)
class LabelSetColumn(IdColumn[LabelNames]):
    """A set of labels per row: 0 or 1 for each, (rows, labels), int32; `NO_LABEL` = missing.

    Attributes:
        columns: The columns that hold 0 or 1 for a label each, and name it; () = `column` holds
            the set.
        names: The names of the places of multi-hot sets such as [1, 0, 0]; () = sets hold names.
    """

    columns: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    kind: ClassVar = "labels"
    holds: ClassVar = "a set of labels"
    label_type: ClassVar = LabelNames
    may_be_empty: ClassVar = True

    @property
    def reads(self) -> Mapping[str, ColumnKind]:
        """The columns of a file that it is read from -> what each is read as."""
        return dict.fromkeys(self.columns, LabelColumn.kind) or {self.column: self.kind}

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

    @classmethod
    def rename(cls, value: LabelValue, rename: Callable[[str], str]) -> tuple[str, ...]:
        """Returns other names for the labels; two may then be one."""
        assert isinstance(value, tuple)
        return tuple(rename(str(label)) for label in value)

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> LabelNames:
        """Returns the names of the labels of all sets, with their counts.

        Raises:
            DataError: The train or dev split has none, or rows are not what the settings say.
        """
        self._check_form([row for rows in splits.values() for row in rows], where)
        self.check_labelled(splits, where)
        return LabelNames.collect(
            {
                split: [label for row in rows for label in dict.fromkeys(self._set_of(row))]
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

    def value(self, example: Example) -> tuple[str, ...] | None:
        """Returns the set of labels of an example, None when it lacks it.

        Where each label has a column, a row lacks the set as soon as it lacks one of them.
        """
        if self.columns:
            bits = [example.labels.get(column) for column in self.columns]
            return None if None in bits or _MISSING in bits else _named(self.columns, bits)
        found = example.labels.get(self.column)
        if self.names and found is not None:
            return _named(self.names, found)  # type: ignore[arg-type]
        return found  # type: ignore[return-value]

    def _set_of(self, example: Example) -> Sequence[str]:
        return self.value(example) or ()

    def _check_form(self, rows: Sequence[Example], where: str) -> None:
        where = f"{where}: column '{{}}' of task '{self.task_name}'"
        for column in self.columns:
            found = {str(row.labels.get(column, _MISSING)) for row in rows}
            if wrong := sorted(found - {_MISSING, *(x for x in found if x.lower() in _BITS)}):
                raise DataError(f"{where.format(column)}: expected 0 or 1, found '{wrong[0]}'")
        sets = [row.labels[self.column] for row in rows if self.column in row.labels]
        place, size = where.format(self.column), len(self.names)
        for bits in sets if self.names else ():
            assert isinstance(bits, tuple)
            if len(bits) != size or any(str(bit).lower() not in _BITS for bit in bits):
                raise DataError(
                    f"{place}: expected {size} times 0 or 1, one for each of `names`, found "
                    f"[{', '.join(map(str, bits))[:40]}]"
                )
        if not self.names and _is_multi_hot(sets):
            example = ", ".join(map(str, max(sets)))[:40]  # type: ignore[arg-type]
            raise DataError(
                f"{place}: all rows are as long and hold 0 and 1, as in [{example}]: one place for "
                f"each label; name the labels: tasks.{self.task_name}.names: [.., ..]"
            )


def _named(names: Sequence[str], bits: Sequence[object]) -> tuple[str, ...]:
    return tuple(n for n, bit in zip(names, bits, strict=True) if _BITS[str(bit).lower()])


def _is_multi_hot(sets: Sequence[LabelValue]) -> bool:
    """Returns whether all sets are lists of 0 and 1 of one length, which is at least 2."""
    lists = {found for found in sets if isinstance(found, tuple)}
    sizes = {len(found) for found in lists}
    is_bits = all(str(bit).lower() in _BITS for found in lists for bit in found)
    return len(sizes) == 1 and min(sizes) > 1 and is_bits
