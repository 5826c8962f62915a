"""Tags of words: whether a column has one for each word, and whether they mark spans."""

import re
from collections.abc import Iterable

from tuning.init.columns import Column

_SPAN_TAG = re.compile(r"[BI]-.+", re.DOTALL)


def tag_lists(column: Column, text: Column) -> list[list[str]] | None:
    """Returns the tags of a column row by row; None = it has not one for each word of the text.

    Args:
        column: The column that may hold tags: lists, or texts with spaces.
        text: The column of the words.
    """
    if column.holds not in ("words", "labels", "text", "label", "numbers", "id", "multi-hot"):
        return None
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


def has_span_tags(tags: Iterable[str]) -> bool:
    """Returns whether tags are O, B-TYPE and I-TYPE."""
    found = set(tags)
    return len(found - {"O"}) > 0 and all(tag == "O" or _SPAN_TAG.fullmatch(tag) for tag in found)


def _items(cell: object) -> list[object]:
    return list(cell) if isinstance(cell, list) else list(str(cell).split())


def _named(column: Column, tag: object) -> str:
    if column.names and isinstance(tag, int) and 0 <= tag < len(column.names):
        return column.names[tag]
    return str(tag)
