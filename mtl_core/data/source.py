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
        texts: The texts, of questions their contexts; of pairs that are made one row the second.
        answers: Right answers in each text; empty = there is none, None = it is not known.
        shares: How many of the answers belong to each row, one row after the other, (rows,); None =
            all of its text.
        facts: What scores know of each text beside its answers, "" = nothing; () = of none.
    """

    of_row: Int32Array
    char_starts: Ragged
    char_ends: Ragged
    texts: Sequence[str]
    answers: Sequence[Sequence[str] | None]
    shares: Int32Array | None = None
    facts: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def answers_of_rows(self) -> list[tuple[str, ...]]:
        """Returns the answers that belong to each row."""
        every = [tuple(self.answers[number] or ()) for number in self.of_row]
        if self.shares is None:
            return every
        ends = np.cumsum(self.shares)
        # Of the first row of each text, where the count over all rows stood before it.
        first = (ends - self.shares)[np.searchsorted(self.of_row, self.of_row)]
        begins = (ends - self.shares - first).tolist()
        shares = zip(every, begins, self.shares.tolist(), strict=True)
        return [found[begin : begin + share] for found, begin, share in shares]

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
            None if self.shares is None else self.shares[rows],
            [self.facts[number] for number in texts] if self.facts else (),
        )

    def span(self, row: int, first: int, last: int) -> tuple[int, int]:
        """Returns begin and end, in characters of its text, of the tokens `first` to `last`."""
        return int(self.char_starts.row(row)[first]), int(self.char_ends.row(row)[last])
