"""The arrays that encoded data is kept in: ids, numbers, and rows of different length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# The default `ignore_index` of torch, so that a loss which is given none passes it over, too.
NO_LABEL = -100
"""Label id of a row that lacks the task's label; the value that `cross_entropy` passes over."""

NOWHERE = -2
"""First sub-word of what is scored as a word and is none: a span that ends inside a word."""

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of different length in one flat array; row i is `values[offsets[i]:offsets[i + 1]]`.

    Attributes:
        values: The items of all rows, one row behind the other, (items,), int32.
        offsets: Where each row begins, and the end of the last, (rows + 1,), int64.
    """

    values: Int32Array
    offsets: Int64Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, number: int) -> Int32Array:
        """Returns one row, a view."""
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def lengths(self) -> Int64Array:
        """Returns the length of every row, shape (rows,)."""
        return np.diff(self.offsets)

    def take(self, rows: Int64Array) -> "Ragged":
        """Returns some of the rows, copied.

        Args:
            rows: Row numbers, (n,).
        """
        offsets = np.concatenate([[0], np.cumsum(self.lengths()[rows])]).astype(np.int64)
        return Ragged(self.values[self.places(rows)], offsets)

    def places(self, rows: Int64Array) -> Int64Array:
        """Returns where the items of some rows stand in `values`, one row behind the other."""
        lengths = self.lengths()[rows]
        ends = np.cumsum(lengths)
        # The start of its row, and how far an item is into the row.
        starts = np.repeat(self.offsets[rows] - (ends - lengths), lengths)
        return starts + np.arange(len(starts))

    def padded(self, rows: Int64Array, fill: int) -> tuple[Int64Array, Int64Array]:
        """Returns rows padded to the longest of them, (batch, longest), and lengths, (batch,).

        Args:
            rows: Row numbers, (batch,); at least one.
            fill: What stands behind the end of a row.
        """
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        width = int(lengths.max())
        # int64, as torch asks of ids that index an embedding or a class; on disk they are int32.
        table = np.full((len(rows), width), fill, dtype=np.int64)  # (batch, longest)
        is_filled = np.arange(width) < lengths[:, None]
        # One gather instead of a loop over rows: start of the row plus the position inside it.
        source = (starts[:, None] + np.arange(width))[is_filled]
        table[is_filled] = self.values[source]
        return table, lengths

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int] | Int32Array]) -> "Ragged":
        """Joins rows of ids that fit into int32."""
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        # With the count, so that memory is taken once; a corpus has millions of items.
        values = np.fromiter((item for row in rows for item in row), np.int32, int(offsets[-1]))
        return cls(values, offsets)


LabelArray = Int32Array | FloatArray | DoubleArray | Ragged
"""The labels of a task on a split, one entry per row; what it holds, its `Column` knows."""


def take_rows(values: LabelArray, rows: Int64Array) -> LabelArray:
    """Returns some rows of the labels of a split, copied; row numbers are (n,)."""
    return values.take(rows) if isinstance(values, Ragged) else values[rows]
