"""The format of JSON rows with character spans, which become tags of words."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase, check_columns
from mtl_core.data.formats.json_files import find, find_value, short
from mtl_core.data.formats.spans import CharSpan, Overlaps, spans_to_tags
from mtl_core.data.formats.text_files import cut_words, read_json, read_lines, read_text
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError


class SpansJson(FilesBase):
    """JSON (a list, or lines) of texts with character spans, which become tags of words.

    The columns are `spans`, and any other key for one label per sentence. Keys are joined by dots
    where objects stand in objects.
    """

    kind: Literal["spans_json"] = "spans_json"
    text: str = "text"
    """Key of the text."""
    spans: str = "spans"
    """Key of the list of spans; a row without it has none."""
    start: str = "start"
    """Key, in a span, of its first character; missing = 0."""
    end: str = "end"
    """Key, in a span, of the character behind it."""
    label: str = "label"
    """Key, in a span, of its type."""
    overlaps: Overlaps = "refuse"
    """What becomes of spans that take the same word: an error, or the longest stays."""

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        # Which keys there are, only the rows tell: `span_examples` looks for them.
        offered: dict[str, ColumnKind] = dict.fromkeys(columns, "label")
        check_columns(str(path), columns, {**offered, "spans": "tags"})
        keys = SpanKeys(self.text, self.spans, self.start, self.end, self.label)
        return span_examples(path, list(columns), keys, overlaps=self.overlaps)


@dataclass(frozen=True, slots=True)
class SpanKeys:
    """Where the parts of a row stand; keys are joined by dots where objects stand in objects.

    Attributes:
        text: Key of the text.
        spans: Key of the list of spans; a row without it has none.
        start: Key, in a span, of its first character; missing = 0.
        end: Key, in a span, of the character behind it.
        label: Key, in a span, of its type.
    """

    text: str
    spans: str
    start: str
    end: str
    label: str


def span_examples(
    path: Path, columns: Sequence[str], keys: SpanKeys, *, overlaps: Overlaps
) -> list[Example]:
    """Reads a JSON list, or JSON lines, of texts with character spans.

    Args:
        path: The file.
        columns: The columns to read: `spans` for the tags, others are keys of labels.
        keys: Where the parts of a row stand.
        overlaps: What becomes of spans that take the same word.

    Raises:
        DataError: The file cannot be read, or a span does not stand in its text.
    """
    examples = []
    for where, row in _rows(path):
        text = find_value(row, keys.text, str, where)
        labels: dict[str, LabelValue] = {}
        for column in columns:
            value = find(row, column)
            if column == "spans":
                found = find(row, keys.spans)
                # Without the key there is nothing to tag, so all words are O: the row is labelled.
                found = [] if found is None else find_value(row, keys.spans, list, where)
                spans = [_span(span, keys, where) for span in found]
                try:
                    labels["spans"] = spans_to_tags(text, spans, overlaps=overlaps)
                except ValueError as error:
                    raise DataError(f"{where}: {error}") from error
            elif value is not None:
                labels[column] = str(value)
        examples.append(Example(cut_words(text, where), labels))
    # Single rows may lack a key; one that no row has is a misspelt column.
    missing = [c for c in columns if examples and not any(c in e.labels for e in examples)]
    if missing:
        raise DataError(f"{path}: there is no key '{missing[0]}' in any row")
    return examples


def _span(span: Any, keys: SpanKeys, where: str) -> CharSpan:
    start = find(span, keys.start)
    if start is not None and not isinstance(start, int):
        raise DataError(f"{where}: expected a whole number at '{keys.start}', found {short(start)}")
    # Files that leave out zeros have no start where a span begins with the text.
    return CharSpan(start or 0, find_value(span, keys.end, int, where),
                    find_value(span, keys.label, str, where))  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields place and row of a JSON list or of JSON lines."""
    # A row of JSON lines is an object, so a file that begins with a list is one.
    if read_text(path).lstrip()[:1] == "[":
        for number, row in enumerate(read_json(path)):
            yield f"{path}: row {number + 1}", row
        return
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                yield f"{path}:{number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON: {error.msg}") from error
