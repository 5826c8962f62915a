"""Looks over a data set that has just been read and encoded, for what a user should know of it."""

from collections.abc import Mapping, Sequence

import numpy as np

from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.notes import DataNote, SplitNotes

_MOST_KNOWN = 0.1
"""Share of a split's rows that may stand in train; some sentences are just frequent."""


def inspect(
    examples: Mapping[str, Sequence[Example]],
    encoded: Mapping[str, EncodedSplit],
    *,
    max_length: int,
) -> list[DataNote]:
    """Returns the notes on a data set.

    Args:
        examples: Split name -> what it was encoded from.
        encoded: Split name -> encoded rows.
        max_length: Longest row, in sub-words.
    """
    found: list[DataNote] = []
    known = {_text_of(row) for row in examples["train"]}
    for split, rows in examples.items():
        notes = SplitNotes(split)
        if split != "train":
            _note_known_rows(notes, rows, known)
        _note_cut_rows(notes, encoded[split], max_length)
        found.extend(notes.found)
    return found


def _text_of(row: Example) -> tuple[tuple[str, ...], str]:
    # Texts alone: a row that stands in train with another label is known as well.
    return row.words, row.second


def _note_known_rows(
    notes: SplitNotes, rows: Sequence[Example], known: set[tuple[tuple[str, ...], str]]
) -> None:
    """Notes how many rows stand in train, where they are more than `_MOST_KNOWN`."""
    count = sum(_text_of(row) in known for row in rows)
    if count > _MOST_KNOWN * len(rows):
        notes.add(
            "known",
            f"{count:,} of {len(rows):,} rows stand in train, too; scores on them say little",
            level="serious",
            count=count,
            of=len(rows),
        )


def _note_cut_rows(notes: SplitNotes, split: EncodedSplit, max_length: int) -> None:
    """Notes how many words stand beyond what the encoder takes."""
    starts = split.word_starts
    is_cut = starts.values < 0  # (words of the split,)
    if is_cut.any():
        # Row number plus 1, as offsets begin with the 0 of the first row; only how many is asked.
        cut = np.searchsorted(starts.offsets, np.flatnonzero(is_cut), side="right")
        rows = len(np.unique(cut))
        notes.add(
            "cut",
            f"{rows:,} of {len(split):,} sentences lose words, cut after {max_length} sub-words; "
            f"{int(is_cut.sum()):,} of {len(is_cut):,} words are not read, and tags on them count "
            "as wrong",
            count=rows,
            of=len(split),
        )
