"""Spans: from character offsets to BIO tags, and from other tag schemes to IOB2."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

Scheme = Literal["iob2", "iob1", "iobes", "plain"]
"""How the tags of a column are written; `plain` = they mark no spans."""

Overlaps = Literal["refuse", "longest"]
"""What becomes of spans that take the same word: an error, or the longest stays."""

_LETTERS = {"iob1": "IB", "iob2": "IB", "iobes": "IBESLU"}


class CharSpan(NamedTuple):
    """A labelled piece of a text: `text[start:end]`."""

    start: int
    end: int
    label: str


def spans_to_tags(
    text: str, spans: Sequence[CharSpan], *, overlaps: Overlaps = "refuse"
) -> tuple[str, ...]:
    """Returns the IOB2 tag of every word; a span that cuts a word takes all of it.

    Args:
        text: The text; its words are cut at white space.
        spans: Spans of it, in any order.
        overlaps: What becomes of spans that take the same word.

    Raises:
        ValueError: A span is empty or ends outside of the text, or two take the same word and
            that is refused.
    """
    words = [match.span() for match in re.finditer(r"\S+", text)]
    tags = ["O"] * len(words)
    if overlaps == "longest":
        # Longest first; of two as long the one that was given first.
        spans = sorted(spans, key=lambda span: span.start - span.end)
    for start, end, label in spans:
        if not 0 <= start < end <= len(text):
            raise ValueError(
                f"span {start}-{end} ({label}) is not inside the text of {len(text)} characters"
            )
        # Words that share a character with the span.
        covered = [n for n, (first, last) in enumerate(words) if first < end and last > start]
        taken = [number for number in covered if tags[number] != "O"]
        if taken and overlaps == "refuse":
            first, last = words[taken[0]]
            raise ValueError(
                f"span {start}-{end} ({label}) takes the word '{text[first:last]}', which another "
                f"span ({tags[taken[0]][2:]}) has already; `overlaps: longest` keeps the longer one"
            )
        # With `longest` a span that meets a longer one is dropped as a whole, not cut.
        for number in () if taken else covered:
            tags[number] = f"{'B' if number == covered[0] else 'I'}-{label}"
    return tuple(tags)


def to_iob2(tags: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Returns the tags of a sentence in IOB2.

    `iob1` begins a span by I- unless it touches one of the same type; `iobes` (also with the
    letters of BILOU) marks ends and single words. In `iob2` an I- that continues nothing stays as
    it is, and no span is counted there.

    Raises:
        ValueError: A tag is not of the scheme; the message starts with its position, from 0.
    """
    if scheme == "plain":
        return tuple(tags)
    for number, tag in enumerate(tags):
        if tag != "O" and (len(tag) < 3 or tag[0] not in _LETTERS[scheme] or tag[1] != "-"):
            letters = ", ".join(f"{letter}-TYPE" for letter in _LETTERS[scheme])
            raise ValueError(f"{number}: expected a tag of {scheme} (O, {letters}), found '{tag}'")
    if scheme == "iob2":
        return tuple(tags)
    return tuple(_iob1(tags) if scheme == "iob1" else _iobes(tags))


def _iob1(tags: Sequence[str]) -> Iterator[str]:
    # `before[2:]` of O is "", which is no type: an I- behind O begins a span.
    for before, tag in pairwise(["O", *tags]):
        begins = tag[0] == "I" and before[2:] != tag[2:]
        yield f"B-{tag[2:]}" if begins else tag


def _iobes(tags: Sequence[str]) -> Iterator[str]:
    # Only B- and I- leave a span open: behind E-, L-, S- or U- whatever comes begins a new one.
    for before, tag in pairwise(["O", *tags]):
        continues = before[0] in "BI" and before[2:] == tag[2:] and tag[0] in "IEL"
        yield tag if tag == "O" else f"{'I' if continues else 'B'}-{tag[2:]}"
