"""Looks over the rows of a data set that has just been read: leaks, contradictions, cut texts.

What hangs on labels is looked over in `label_notes`, when all data sets of a task are known.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_core.data.arrays import Int64Array
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.notes import DataNote, Lengths, SplitNotes, percent

MOST_KNOWN = 0.05
"""Share of a split's rows that may stand in train; some sentences are just frequent.

Of public splits SNIPS has 3.7 % in test and the English Web Treebank 4.5 %; most have under 1 %.
"""
_MOST_CONTRADICTING = 0.01
"""Share of a split's rows that may contradict each other: a slip of a hand is no news."""
_MOST_CUT = 0.01
"""Share of a split's rows that may be cut before it is more than a hint."""
_MOST_UNKNOWN = 0.01
"""Share of a split's rows that may hold nothing that the tokenizer knows."""


class Inspector:
    """Looks over the splits of one data set, train first, while they are encoded one by one.

    Attributes:
        notes: What was found.
        lengths: Split name -> how long its rows are.
        texts: Split name -> a hash of each example's text; see `Rows`.
    """

    def __init__(
        self, labels: Mapping[str, Labels], max_length: int, cut: str = "are cut after"
    ) -> None:
        """Begins a data set.

        Args:
            labels: The labels of its tasks.
            max_length: Longest row, in sub-words.
            cut: What becomes of longer ones; see `Layout`.
        """
        self.notes: list[DataNote] = []
        self.lengths: dict[str, Lengths] = {}
        self.texts: dict[str, Int64Array] = {}
        self._labels = labels
        self._max_length = max_length
        self._cut = cut
        self._rows: dict[str, Rows] = {}

    def look_at(
        self,
        split: str,
        examples: Sequence[Example],
        encoded: EncodedSplit,
        lengths: Int64Array,
        unknown: int | None,
    ) -> None:
        """Looks over a split.

        Args:
            split: Its name.
            examples: What it was encoded from.
            encoded: Its rows.
            lengths: What each row would have if none were cut, in sub-words, (rows,).
            unknown: Id of the tokenizer's unknown token; None = it has none, and knows all.
        """
        notes = SplitNotes(split)
        rows = Rows.of(examples, encoded, self._labels)
        # Train has been looked at before dev, and dev before test: the order of the splits.
        for other, theirs in self._rows.items():
            _note_known(notes, rows, theirs, where=other)
        self._rows[split] = rows
        self.texts[split] = rows.texts
        _note_unreadable(notes, encoded, unknown)
        _note_contradictions(notes, rows)
        _note_cuts(notes, encoded, lengths, self._max_length, self._cut)
        for task, column in encoded.labels.columns.items():
            column.inspect(encoded.labels[task], self._labels[task], notes)
        self.notes += notes.found
        self.lengths[split] = _measure(len(examples), lengths, self._max_length)


@dataclass(frozen=True, slots=True)
class Rows:
    """The examples of a split, as far as they are compared with others.

    Attributes:
        texts: A hash for each text, since a corpus has millions, (examples,), int64; the same in
            every process. The same words with other features are another input.
        labels: Task name -> labels of each example, b"" where it has none; tasks whose labels
            belong to pieces of examples are left out.
        named: The tasks whose labels have names: only such labels can contradict each other.
    """

    texts: Int64Array
    labels: Mapping[str, Sequence[bytes]]
    named: Sequence[str]

    @classmethod
    def of(
        cls, examples: Sequence[Example], encoded: EncodedSplit, labels: Mapping[str, Labels]
    ) -> "Rows":
        """Returns what is compared of a split."""
        # Windows and chunks are pieces of examples, or several of them.
        is_whole = encoded.source is None and len(encoded) == len(examples)
        found = {
            task: [gold.tobytes() for gold in encoded.gold(task)]
            for task, column in encoded.labels.columns.items()
            if is_whole and column.is_read
        }
        named = [task for task in found if labels[task].all]
        texts = np.fromiter((_text_hash(one) for one in examples), np.int64, len(examples))
        return cls(texts, found, named)

    def __len__(self) -> int:
        return len(self.texts)

    def known_from(self, other: "Rows") -> Int64Array:
        """Returns the numbers of the examples whose text stands in another split, too."""
        return np.flatnonzero(np.isin(self.texts, other.texts))

    def labelled_otherwise(self, numbers: Iterable[int], other: "Rows") -> int:
        """Returns how many of these examples have a label of a task that none there has.

        Examples whose text has no label of the task in the other split do not count.
        """
        theirs: set[tuple[object, ...]] = set()
        for task, values in other.labels.items():
            for text, value in zip(other.texts.tolist(), values, strict=True):
                if value:
                    theirs |= {(text, task), (text, task, hash(value))}
        texts = self.texts.tolist()
        return sum(
            any(
                value[number]
                and (texts[number], task) in theirs
                and (texts[number], task, hash(value[number])) not in theirs
                for task, value in self.labels.items()
            )
            for number in numbers
        )

    def contradicting(self, task: str) -> list[int]:
        """Returns the texts of the examples that share it with one of another label of a task.

        A text comes once for each of its labelled examples.
        """
        pairs = zip(self.texts.tolist(), self.labels[task], strict=True)
        labelled = [pair for pair in pairs if pair[1]]
        first: dict[int, bytes] = {}
        several = {text for text, value in labelled if first.setdefault(text, value) != value}
        return [text for text, _ in labelled if text in several]


def _text_hash(example: Example) -> int:
    # The separators hardly ever stand in texts, so that no two examples run into one.
    parts = ("\x1f".join(example.words), example.second, repr(example.features))
    data = "\x1e".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big", signed=True)


def _note_known(notes: SplitNotes, rows: Rows, other: Rows, where: str) -> None:
    """Notes the rows that stand in another split, too, where they are more than `MOST_KNOWN`.

    Args:
        notes: Gets the note.
        rows: The rows of its split.
        other: The rows of the other split.
        where: The other split, "train" or "dev".
    """
    known = rows.known_from(other)
    count, whole = len(known), len(rows)
    if count <= MOST_KNOWN * whole:
        return
    otherwise = rows.labelled_otherwise(known.tolist(), other)
    labels = f", {otherwise:,} of them with another label" if otherwise else ""
    is_train = where == "train"
    what = "scores on them say little" if is_train else "dev chooses epoch and recipe"
    notes.add(
        "known" if is_train else "known_from_dev",
        f"{count:,} of {whole:,} rows ({percent(count, whole)}) stand in {where}, too{labels}; "
        f"{what}",
        level="serious" if is_train else "warning",
        count=count,
        of=whole,
    )


def _note_contradictions(notes: SplitNotes, rows: Rows) -> None:
    """Notes, for each task, rows that share their text with one of another label."""
    for task in rows.named:
        found = rows.contradicting(task)
        count, whole, texts = len(found), len(rows), len(set(found))
        if count > _MOST_CONTRADICTING * whole:
            notes.add(
                "contradicting",
                f"task '{task}': {count:,} of {whole:,} rows ({percent(count, whole)}) share their "
                f"text with a row of another label ({texts:,} text{'s' if texts > 1 else ''})",
                task=task,
                count=count,
                of=whole,
            )


def _note_cuts(
    notes: SplitNotes, encoded: EncodedSplit, lengths: Int64Array, max_length: int, cut: str
) -> None:
    """Notes how many rows are longer than the encoder takes, and how many words are lost.

    Args:
        notes: Gets the note.
        encoded: The rows.
        lengths: What each row would have if none were cut, in sub-words, (rows,).
        max_length: Longest row.
        cut: What becomes of longer ones.
    """
    rows = int((lengths > max_length).sum())
    if rows:
        is_lost = encoded.word_starts.values == -1  # (words of the split,)
        lost = f"; {int(is_lost.sum()):,} of {len(is_lost):,} words are not read"
        if any(column.is_per_word for column in encoded.labels.columns.values()):
            lost += ", and spans or tags on them count as missed"
        notes.add(
            "cut",
            f"{rows:,} of {len(encoded):,} rows ({percent(rows, len(encoded))}) {cut} "
            f"{max_length} sub-words{lost * bool(is_lost.any())} (run.encoder.max_length; the "
            f"longest has {int(lengths.max()):,})",
            level="warning" if rows > _MOST_CUT * len(encoded) else "hint",
            count=rows,
            of=len(encoded),
        )


def _note_unreadable(notes: SplitNotes, encoded: EncodedSplit, unknown: int | None) -> None:
    """Notes rows without a sub-word that the tokenizer knows, empty ones included.

    Args:
        notes: Gets the note.
        encoded: The rows.
        unknown: Id of the unknown token; None = the tokenizer has none, and knows all.
    """
    ids, starts = encoded.token_ids, encoded.word_starts
    if not len(starts.values):  # Texts that are written to an empty source.
        return
    # Row of every word that was read; in it, whether its first sub-word is a known one.
    row_of = np.repeat(np.arange(len(starts)), starts.lengths())
    is_read = starts.values >= 0
    first = ids.values[ids.offsets[row_of[is_read]] + starts.values[is_read]]
    is_readable = np.zeros(len(encoded), dtype=np.bool_)
    is_readable[row_of[is_read][first != unknown]] = True
    count = int((~is_readable).sum())
    if count > _MOST_UNKNOWN * len(encoded):
        notes.add(
            "unreadable",
            f"{count:,} of {len(encoded):,} rows ({percent(count, len(encoded))}) hold no word "
            "that the tokenizer knows",
            level="serious" if 2 * count > len(encoded) else "warning",
            count=count,
            of=len(encoded),
        )


def _measure(examples: int, lengths: Int64Array, max_length: int) -> Lengths:
    """Returns how long the rows of a split are.

    Args:
        examples: How many texts they were made from.
        lengths: What each row would have if none were cut, in sub-words, (rows,).
        max_length: Longest row that the encoder takes.
    """
    median, high = np.quantile(lengths, [0.5, 0.95], method="inverted_cdf")
    cut = int((lengths > max_length).sum())
    return Lengths(examples, len(lengths), int(median), int(high), int(lengths.max()), cut)
