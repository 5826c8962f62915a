"""Where rows come from, when they are pieces of longer texts: the way back to those texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtl_core.data.arrays import Int32Array, Int64Array, Ragged


@dataclass(frozen=True, slots=True)
class Source:
    """What the rows of a split are pieces of.

    Attributes:
        of_row: Number of the text that a row is cut from, (rows,); rising.
        char_starts: Per token, where it begins in the text; -1 outside the text.
        char_ends: Per token, where it ends in the text; -1 outside the text.
        texts: The texts, of questions their contexts.
        answers: Right answers in each text; empty = there is none, None = it is not known.
    """

    of_row: Int32Array
    char_starts: Ragged
    char_ends: Ragged
    texts: Sequence[str]
    answers: Sequence[Sequence[str] | None]

    def __len__(self) -> int:
        return len(self.texts)

    def rows_of(self, number: int) -> Int64Array:
        """Returns the numbers of the rows that a text was cut into."""
        return np.flatnonzero(self.of_row == number)

    def take(self, texts: Int64Array) -> "Source":
        """Returns the rows of some texts, copied; text numbers are (n,), rising."""
        rows = np.flatnonzero(np.isin(self.of_row, texts))
        return Source(
            np.searchsorted(texts, self.of_row[rows]).astype(np.int32),
            self.char_starts.take(rows),
            self.char_ends.take(rows),
            [self.texts[number] for number in texts],
            [self.answers[number] for number in texts],
        )

    def span(self, row: int, first: int, last: int) -> tuple[int, int]:
        """Returns begin and end, in characters of its text, of the tokens `first` to `last`."""
        return int(self.char_starts.row(row)[first]), int(self.char_ends.row(row)[last])
