"""The column of regression: one number per sentence or pair."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import BoolArray, DoubleArray, FloatArray, Int64Array, Ragged
from mtl_core.data.columns.base import Column, Gold
from mtl_core.data.columns.cells import Cell, number_of
from mtl_core.data.columns.label_names import Moments
from mtl_core.data.example import Example
from mtl_core.data.source import Source


class NumberColumn(Column[Moments, DoubleArray]):
    """A number per row: (rows,), float64, as it stands in the data; NaN = missing."""

    __slots__ = ()

    kind: ClassVar = "number"
    holds: ClassVar = "a number"
    label_type: ClassVar = Moments

    @classmethod
    def from_cell(cls, cell: Cell) -> float:
        """Returns the number."""
        return number_of(cell.value, cell.where)

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> Moments:
        """Returns mean and standard deviation of the train split."""
        # In float64, and divided by n: so the moments of several data sets join without loss.
        self.check_labelled(splits, where)
        numbers = [self.value(example) for example in splits["train"]]
        known = np.array([number for number in numbers if number is not None], dtype=np.float64)
        return Moments(len(known), float(known.mean()), float(known.std()))

    def encode(
        self, examples: Sequence[Example], labels: Moments, source: Source | None
    ) -> DoubleArray:
        """Returns the number of every row, (rows,)."""
        values = [self.value(example) for example in examples]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    def renumber(self, values: DoubleArray, old: Moments, new: Moments) -> DoubleArray:
        """Returns the numbers as they are: in the unit of the data, not standardised."""
        return values

    def pad(self, values: DoubleArray, rows: Int64Array, is_word: BoolArray) -> FloatArray:
        """Returns the numbers of a batch, (batch,), float32."""
        return values[rows].astype(np.float32)

    def missing(self, labels: Tensor) -> Tensor:
        """Returns NaN everywhere."""
        return torch.full_like(labels, torch.nan)

    def count(self, values: DoubleArray, word_starts: Ragged) -> Int64Array:
        """Returns 1 for every row that has a number, else 0, (rows,)."""
        return np.asarray(~np.isnan(values), dtype=np.int64)

    def num_labelled(self, values: DoubleArray) -> int:
        """Returns the number of rows that have a number."""
        return int((~np.isnan(values)).sum())

    def gold(self, values: DoubleArray) -> list[Gold]:
        """Returns the number of every row, (1,), float64; (0,) where it is missing."""
        return [row[~np.isnan(row)] for row in values.reshape(len(values), -1)]
