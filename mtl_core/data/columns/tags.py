"""The column of tagging: one tag per word, and one for each span that ends inside a word."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import NO_LABEL, BoolArray, Int64Array, Ragged
from mtl_core.data.columns.base import Column, Gold
from mtl_core.data.columns.cells import Cell
from mtl_core.data.columns.ids import look_up
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.cutting import NO_TAG
from mtl_core.data.example import Example, LabelValue
from mtl_core.data.notes import SplitNotes, percent
from mtl_core.data.schemes import advice
from mtl_core.data.source import Source
from mtl_core.errors import DataError

_BIO = re.compile(r"[BI]-[^-](.*[^-])?", re.DOTALL)
"""Tags of spans; seqeval drops hyphens at the ends of a type, so that B--A would be B-A."""


@dataclass(frozen=True, slots=True)
class TagsColumn(Column[LabelNames, Ragged]):
    """One tag per word: ids, `Ragged`, as long as the words of each row; `NO_LABEL` = missing.

    Behind the words of a row stands the first tag of each span that words cannot express, at places
    that are in no row of tokens: nothing learns it, nothing predicts it, and so it is missed.

    Attributes:
        is_bio: Whether the tags have to be BIO.
    """

    is_bio: bool = False

    kind: ClassVar = "tags"
    holds: ClassVar = "one tag per word"
    label_type: ClassVar = LabelNames
    # Features follow the vector of the sentence, and words have vectors of their own.
    takes_features: ClassVar = False
    is_per_word: ClassVar = True

    @property
    def blank(self) -> frozenset[str]:
        """The tag O of BIO."""
        return frozenset({"O"}) if self.is_bio else frozenset()

    @classmethod
    def from_cell(cls, cell: Cell) -> tuple[str, ...]:
        """Returns the tags of a list, also of one written as text, or of a string with spaces."""
        return tuple(cell.label(item) for item in cell.items())

    @classmethod
    def rename(cls, value: LabelValue, rename: Callable[[str], str]) -> tuple[str, ...]:
        """Returns other names for the types of spans, "B-PER" -> "B-person", or for plain tags."""
        assert isinstance(value, tuple)
        names = {"O": "O"}
        for tag in map(str, value):
            if tag not in names:
                mark = tag[:2] if _BIO.fullmatch(tag) else ""
                names[tag] = mark + rename(tag[len(mark) :])
        return tuple(names[str(tag)] for tag in value)

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> LabelNames:
        """Returns the names of the tags with their counts; O is always one of them for BIO.

        Raises:
            DataError: The train or dev split has none, or a tag is not BIO.
        """
        self.check_labelled(splits, where)
        found = {
            split: [tag for row in rows for tag in self._tags_of(row) if tag != NO_TAG]
            for split, rows in splits.items()
        }
        if not self.is_bio:
            return LabelNames.collect(found)
        self._check_bio({tag for tags in found.values() for tag in tags}, where)
        # Without O a head could not leave a word untagged, even where train tags every word.
        return LabelNames.collect(found, always=frozenset({"O"}))

    def encode(
        self, examples: Sequence[Example], labels: LabelNames, source: Source | None
    ) -> Ragged:
        """Returns the id of every word's tag; `NO_LABEL` for all words of a row without tags."""
        ids = {label: number for number, label in enumerate(labels.all)} | {NO_TAG: NO_LABEL}
        return Ragged.from_rows(
            [
                [ids[tag] for tag in self._tags_of(example)] or [NO_LABEL] * len(example.words)
                for example in examples
            ]
        )

    def renumber(self, values: Ragged, old: LabelNames, new: LabelNames) -> Ragged:
        """Returns the ids by the new numbering, rows as long as they were."""
        if old.all == new.all:
            return values
        return Ragged(look_up(values.values, old, new), values.offsets)

    def pad(self, values: Ragged, rows: Int64Array, is_word: BoolArray) -> Int64Array:
        """Returns the tags of a batch, (batch, words)."""
        # A word that was cut off has no hidden state to learn its tag from. Both arrays are
        # equally wide: every row has one tag (or `NO_LABEL`) and one start per word.
        return np.where(is_word, values.padded(rows, NO_LABEL)[0], NO_LABEL)

    def missing(self, labels: Tensor) -> Tensor:
        """Returns `NO_LABEL` everywhere."""
        return torch.full_like(labels, NO_LABEL)

    def count(self, values: Ragged, word_starts: Ragged) -> Int64Array:
        """Returns the tagged words of each row, (rows,), without those that were cut off."""
        # The two flat arrays run in parallel, word by word; rows are differences of running totals.
        is_counted = (values.values != NO_LABEL) & (word_starts.values >= 0)
        totals = np.concatenate([[0], np.cumsum(is_counted)])
        return np.asarray(totals[values.offsets[1:]] - totals[values.offsets[:-1]], dtype=np.int64)

    def count_ids(self, values: Ragged, size: int) -> Int64Array:
        """Returns the words of each tag, (size,)."""
        return np.bincount(values.values[values.values != NO_LABEL], minlength=size)

    def num_beyond(self, values: Ragged, first: int) -> int:
        """Returns the number of rows with a tag at or above `first`."""
        places = np.flatnonzero(values.values >= first)
        return len(np.unique(np.searchsorted(values.offsets, places, side="right")))

    def inspect(self, values: Ragged, labels: LabelNames, notes: SplitNotes) -> None:
        """Notes how many spans begin with I-: in IOB2, which is what is scored, they are none."""
        if not self.is_bio:
            return
        begun = stray = 0
        for ids in self.gold(values):
            before = "O"
            for tag in (labels.all[number] for number in ids if number != NO_LABEL):
                begun += tag.startswith("B-")
                # "I-" goes on with a type, whether a B- or another I- stands before it.
                stray += tag.startswith("I-") and before[1:] != tag[1:]
                before = tag
        if stray:
            spans = begun + stray
            setting = f"; if they are IOB1, set `schemes: {{{self.column}: iob1}}` in the data set"
            hint = setting if stray > begun else ""
            notes.add(
                "stray",
                f"task '{self.task_name}': {stray:,} of {spans:,} spans ({percent(stray, spans)}) "
                f"begin with I- in place of B-, and count as none{hint}",
                level="serious" if stray > begun else "warning",
                task=self.task_name,
                count=stray,
                of=spans,
            )

    def num_labelled(self, values: Ragged) -> int:
        """Returns the number of rows with a tag."""
        # Word -> row: a word stands behind the offsets of all rows up to its own.
        places = np.flatnonzero(values.values != NO_LABEL)
        return len(np.unique(np.searchsorted(values.offsets, places, side="right")))

    def gold(self, values: Ragged) -> list[Gold]:
        """Returns the tags of every row, (words,), int64, those of cut-off words included.

        Where a row has tags, single words of it may have none: `NO_LABEL`.
        """
        rows = (values.row(number) for number in range(len(values)))
        return [np.array(ids if (ids != NO_LABEL).any() else (), np.int64) for ids in rows]

    def _tags_of(self, example: Example) -> Sequence[str]:
        return self.value(example) or ()  # type: ignore[return-value]

    def _check_bio(self, tags: Collection[str], where: str) -> None:
        wrong = sorted(tag for tag in tags if tag != "O" and not _BIO.fullmatch(tag))
        if wrong:
            raise DataError(
                f"{where}: column '{self.column}' of task '{self.task_name}' holds the tag "
                f"'{wrong[0]}'; allowed are BIO tags: O, B-<type>, I-<type>, where a type neither "
                "begins nor ends with '-' (or set the task's scheme: plain)"
                f"{advice(frozenset(tags), 'iob2', self.column)}"
            )
