"""Tags of words: whether a column has one for each word, and how they mark spans."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from mtl_core.data.schemes import Scheme, TagError, TagReader
from tuning.init.columns import Column

Marks = Scheme | Literal["bare"]
"""How tags mark spans; `bare` = B, I and O without a type."""

_PREFIXED = re.compile(r"[BIESLUM][-_].+", re.DOTALL)
_OUTSIDE = {"O", "0"}


def tag_lists(column: Column, text: Column) -> list[list[str]] | None:
    """Returns the tags of a column row by row; None = it has not one for each word of the text.

    Args:
        column: The column that may hold tags: lists, or texts with spaces.
        text: The column of the words.
    """
    pairs = [
        (_items(words), _items(tags))
        for words, tags in zip(text.cells, column.cells, strict=True)
        if words and tags
    ]
    if not pairs or any(len(words) != len(tags) for words, tags in pairs):
        return None
    tags = [[_named(column, tag) for tag in tags] for _, tags in pairs]
    longest = max(map(len, tags))
    kinds = {tag for row in tags for tag in row}
    # One word with one label each is no sequence of tags; and tags are fewer than words.
    words = {str(word) for row, _ in pairs for word in row}
    return tags if longest > 1 and len(kinds) <= max(3, len(words) / 2) else None


def marks_of(tags: Sequence[Sequence[str]]) -> Marks:
    """Returns how the tags of sentences mark spans; `plain` = not at all.

    Args:
        tags: The tags, sentence by sentence.
    """
    kinds = {tag for row in tags for tag in row}
    inside = kinds - _OUTSIDE
    if "B" in kinds and inside <= {*"BIESLUM"}:
        return "bare"
    if all(kind.isdecimal() for kind in kinds):
        return "plain"  # what numbers stand for, only `labels: {map: ...}` can say
    if not inside or (inside == kinds and not all(map(_PREFIXED.fullmatch, kinds))):
        return "plain"
    if not any(map(_PREFIXED.fullmatch, inside)):
        return "io"  # PER PER O: most words stand outside of what is marked
    if _fits(tags, "iob2"):
        return "iob1" if _begins_inside(tags) else "iob2"
    return "iobes" if _fits(tags, "iobes") else "plain"


def _fits(tags: Sequence[Sequence[str]], scheme: Scheme) -> bool:
    reader = TagReader.over((tag for row in tags for tag in row), scheme, "tags")
    try:
        for row in tags:
            reader.read(row)
    except TagError:
        return False
    return True


def _begins_inside(tags: Iterable[Sequence[str]]) -> bool:
    """Returns whether most spans begin with I-, as in IOB1."""
    begun = inside = 0
    for row in tags:
        for before, tag in pairwise(["O", *row]):
            is_inside = tag[0] == "I" and before[2:] != tag[2:]
            inside += is_inside
            begun += is_inside or tag[0] == "B"
    return 2 * inside > begun


def _items(cell: object) -> list[object]:
    return list(cell) if isinstance(cell, list) else list(str(cell).split())


def _named(column: Column, tag: object) -> str:
    if column.names and isinstance(tag, int) and 0 <= tag < len(column.names):
        return column.names[tag]
    return str(tag)
