"""Cutting: texts become words, and spans that count characters become tags of words."""

from collections import Counter
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import replace

from mtl_core.data.example import CharSpan, Example, LabelValue
from mtl_core.data.notes import DataNote, SplitNotes
from mtl_core.data.words import Cut, Place, Words
from mtl_core.data.words_like import words_like

NO_TAG = "\0"
"""The tag of a word in which a span ends: it says nothing, in training and in scores."""
_KINDS: tuple[Words, ...] = ("whitespace", "punctuation", "characters")
_MANY = 0.1
"""Share of the spans of a split that no words express, above which scores say little."""

_SEGMENTED = (
    "words of several letters in a script without spaces; texts to predict are cut into the "
    "longest words of train, which is a guess: cut them as train was, and say `words: whitespace`"
)


def found_cut(train: Sequence[Example]) -> Cut:
    """Returns how texts are cut into words, found from the rows of train alone.

    Of tokenised data as its words are. Of texts with spans at white space, unless more spans fit
    words that end at punctuation, or most spans fit neither and fit characters. Of other texts at
    white space.
    """
    if not any(row.text for row in train):
        return words_like(Counter(word for row in train for word in row.words))
    misfits = {words: _count_misfits(train, Cut(words)) for words in _KINDS}
    best: Words = "whitespace"
    if misfits["punctuation"] < misfits[best]:
        best = "punctuation"
    num_spans = sum(len(spans) for row in train for spans in row.spans.values())
    # Letters as words are the last resort: a model then reads no word as a whole.
    if misfits[best] > num_spans / 2 and misfits["characters"] < misfits[best]:
        best = "characters"
    return Cut(best)


def _count_misfits(rows: Sequence[Example], cut: Cut) -> int:
    return sum(cut_text(row, cut).misfits for row in rows if row.spans)


def cut_texts(
    splits: Mapping[str, Sequence[Example]],
    cut: Cut,
    notes: MutableSequence[DataNote] | None = None,
) -> dict[str, list[Example]]:
    """Returns the rows of all splits, those with spans as words with tags.

    Args:
        splits: Split name -> rows.
        cut: How their texts are cut into words.
        notes: Gets a note on each split that has spans which no words can express.
    """
    done = {
        split: [cut_text(row, cut) if row.spans else row for row in rows]
        for split, rows in splits.items()
    }
    for split, rows in splits.items():
        said = SplitNotes(split)
        if split == "train" and cut.is_guess:
            said.add("segmented", _SEGMENTED, level="hint")
        _note_misfits(said, rows, sum(row.misfits for row in done[split]), cut)
        if notes is not None:
            notes.extend(said.found)
    return done


def _note_misfits(notes: SplitNotes, rows: Sequence[Example], count: int, cut: Cut) -> None:
    if not count:
        return
    pieces = [
        row.text[start:end]
        for row in rows
        for spans in row.spans.values()
        for start, end, _ in spans
    ]
    blank = sum(piece != piece.strip() for piece in pieces)
    setting = f"; `trim: true` takes white space off the ends of {blank:,} of them" if blank else ""
    notes.add(
        "misfits",
        f"{count:,} of {len(pieces):,} spans begin or end inside a word or at white space (words: "
        f"{cut.words}); they count as missed, and words in them train nothing{setting}",
        level="serious" if count > _MANY * len(pieces) else "warning",
        count=count,
        of=len(pieces),
    )


def cut_text(row: Example, cut: Cut) -> Example:
    """Returns a row with spans as words with tags; see `Example.misfits`."""
    places = cut.places(row.text)
    labels: dict[str, LabelValue] = dict(row.labels)
    misfits = 0
    for column, spans in row.spans.items():
        tags, lost = tags_of(spans, places)
        labels[column] = (*tags, *lost)
        misfits = len(lost)
    words = tuple(row.text[start:end] for start, end in places)
    return replace(row, words=words, labels=labels, spans={}, misfits=misfits)


def tags_of(
    spans: Sequence[CharSpan], places: Sequence[Place]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the IOB2 tag of every word, and a B- tag for each span that words cannot express.

    Args:
        spans: Spans that do not overlap.
        places: Where the words stand, in their order.
    """
    tags = ["O"] * len(places)
    lost = []
    for start, end, label in spans:
        # Words that share a character with the span.
        covered = [n for n, (first, last) in enumerate(places) if first < end and last > start]
        fits = covered and places[covered[0]][0] == start and places[covered[-1]][1] == end
        for number in covered:
            letter = "B" if number == covered[0] else "I"
            tags[number] = f"{letter}-{label}" if fits else NO_TAG
        if not fits:
            lost.append(f"B-{label}")
    return tuple(tags), tuple(lost)
