"""Spans: from character offsets to BIO tags of words."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Overlaps = Literal["refuse", "longest"]
"""What becomes of spans that take the same word: an error, or the longest stays."""


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
