"""Prompts: what a model goes on from, one for each text that it is to write."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from mtl_core.data.arrays import NO_LABEL, BoolArray, Int32Array, Int64Array, Ragged
from mtl_core.data.encoded import EncodedSplit, TaskLabels


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts of some rows of a split.

    Attributes:
        token_ids: The sub-words of each prompt, (prompts,).
        of_row: The row that each is of, (prompts,), rising.
    """

    token_ids: Ragged
    of_row: Int64Array

    def __len__(self) -> int:
        return len(self.token_ids)

    @classmethod
    def of(
        cls, split: EncodedSplit, task: str, rows: Int64Array, *, reads_targets: bool
    ) -> "Prompts":
        """Returns the prompts of all targets in some rows; a row without a target has none.

        Args:
            split: The rows.
            task: A task that writes.
            rows: Their numbers, (n,), rising.
            reads_targets: Whether source and targets stand in one row, see `Writer`.
        """
        labels = split.labels[task]
        assert isinstance(labels, Ragged), "a task that writes has token ids as labels"
        found = [(row, end) for row in rows for end in _ends(labels.row(row), reads_targets)]
        ids = [split.token_ids.row(row)[:end].tolist() for row, end in found]
        return cls(Ragged.from_rows(ids), np.array([row for row, _ in found], dtype=np.int64))

    @property
    def rows(self) -> EncodedSplit:
        """The prompts as rows without words and labels."""
        nothing = Ragged(np.zeros(0, dtype=np.int32), np.zeros(len(self) + 1, dtype=np.int64))
        return EncodedSplit(self.token_ids, nothing, TaskLabels([]))

    def batches(self, *, most: int) -> list[Int64Array]:
        """Returns the numbers of prompts, so many each, those of the longest rows first.

        Rows of similar length come together, and the prompts of a row, which begin alike, too.
        """
        lengths = self.token_ids.lengths()
        longest = np.zeros(int(self.of_row.max(initial=-1)) + 1, dtype=np.int64)
        np.maximum.at(longest, self.of_row, lengths)
        # The longest first: workers take turns, and the last batches are to be quick.
        order = np.lexsort((-lengths, self.of_row, -longest[self.of_row]))
        return [order[first : first + most] for first in range(0, len(order), most)]

    def seeds(self) -> Int64Array:
        """Returns a seed for each prompt, made of its sub-words alone, (prompts,).

        So a text that is drawn is the same wherever its prompt stands.
        """
        digests = (
            blake2b(self.token_ids.row(number).astype("<i4").tobytes(), digest_size=7).digest()
            for number in range(len(self))
        )
        return np.array([int.from_bytes(one, "little") for one in digests], dtype=np.int64)


def _ends(labels: Int32Array, reads_targets: bool) -> list[int | None]:
    """Returns where the prompt of each target of a row ends; None = with the row."""
    is_target: BoolArray = labels != NO_LABEL
    if not reads_targets:
        return [None] if is_target.any() else []
    # The first sub-words of runs; one at the very begin of a row has nothing to be written after.
    firsts = np.flatnonzero(is_target & ~np.concatenate([[True], is_target[:-1]])[: len(labels)])
    return [int(first) for first in firsts]
