"""The format of JSON rows with character spans, which become tags of words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mtl_core.data.columns.cells import Cell
from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import CharSpan, ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns, SpanFilesBase, TextRowsSection, check_columns
from mtl_core.data.formats.json_files import find, find_value, short
from mtl_core.data.formats.offsets import Offsets, char_range, check_quoted, trimmed
from mtl_core.data.formats.rows import OnEmpty, read_rows
from mtl_core.data.formats.span_exports import is_task, plain_rows
from mtl_core.data.formats.span_keys import SpanKeys, find_span_keys, no_key
from mtl_core.data.formats.spans import Overlaps, check_spans
from mtl_core.data.formats.text_files import cut_words
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError

_SPANS = "spans"
"""The column of the tags."""
_QUOTED = "text"
"""Key, in a span, of its own text, where tools write it."""
_TEXT_HINT = " `text: KEY` says where texts stand; `kind: jsonl` reads rows of words and tags."
_OF_ROWS = (LabelColumn.kind, LabelSetColumn.kind, NumberColumn.kind)
"""Kinds of columns that rows can have beside their spans."""


class SpansJson(TextRowsSection, SpanFilesBase):
    """JSON (a list, or lines) of texts with character spans, which become tags of words.

    Spans are objects or lists [start, end, label], rows are objects or [text, {...}] as in spaCy 2;
    exports of doccano, Prodigy and Label Studio are read as they are. The columns are `spans` and
    any other key with labels of the whole text. Keys are joined by dots where objects stand in
    objects.
    """

    kind: Literal["spans_json"] = "spans_json"
    text: str = "text"
    """Key of the text."""
    spans: str | None = None
    """Key of the list of spans; null = `spans`, `entities`, `label`, `labels` or `annotations`."""
    start: str | None = None
    """Key, in a span, of its first character, missing = 0; null = `start` or `start_offset`."""
    end: str | None = None
    """Key, in a span, of the character behind it; null = `end` or `end_offset`."""
    label: str | None = None
    """Key, in a span, of its type, or a list of types; null = `label` or `labels`."""
    offsets: Offsets = "characters"
    """What starts and ends count: `characters`, `utf16` as tools in JavaScript, or `bytes`."""
    overlaps: Overlaps = "refuse"
    """What becomes of spans that share characters: an error, or the longest stays."""

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        # Which keys there are, only the rows tell: `span_examples` looks for them.
        offered: dict[str, ColumnKind] = {
            column: kind if kind in _OF_ROWS else LabelColumn.kind
            for column, kind in columns.items()
        }
        check_columns(str(path), columns, {**offered, _SPANS: TagsColumn.kind})
        keys = SpanKeys(self.text, self.spans, self.start, self.end, self.label)
        layout = SpanLayout(keys, self.offsets, self.overlaps, self.trim)
        return span_examples(path, columns, layout, notes, on_empty=self.on_empty)


@dataclass(frozen=True, slots=True)
class SpanLayout:
    """How rows with spans are written.

    Attributes:
        keys: Where their parts stand.
        offsets: What starts and ends count.
        overlaps: What becomes of spans that share characters.
        trim: Whether white space at the ends of spans is taken off.
    """

    keys: SpanKeys
    offsets: Offsets = "characters"
    overlaps: Overlaps = "refuse"
    trim: bool = False


def span_examples(
    path: Path,
    columns: Columns,
    layout: SpanLayout,
    notes: SplitNotes,
    *,
    on_empty: OnEmpty = "error",
) -> list[Example]:
    """Reads the rows of a JSON file; see `plain_rows` for its forms.

    Args:
        path: The file.
        columns: The columns to read: `spans` for the tags, others are keys of labels.
        layout: How the rows are written.
        notes: Gets what a user should know of the file.
        on_empty: What becomes of rows with an empty text.

    Raises:
        DataError: The file cannot be read, a key is in no row, or a span is not in its text.
    """
    rows = plain_rows(path, layout.keys.text, notes)
    contents = [row for _, row in rows]
    layout = replace(layout, keys=_look_up(layout.keys, columns, contents, str(path)))
    tally = Counter[str]()
    examples = read_rows(
        rows,
        lambda row, where: _example(row, where, columns, layout, tally),
        on_empty=on_empty,
        notes=notes,
    )
    _note_bare_spans(layout.keys, contents, notes)
    if tally["left out"]:
        notes.add(
            "overlaps",
            f"{tally['left out']:,} of {tally['spans']:,} spans overlap longer ones, and are left "
            "out, of scores too (`overlaps: longest`)",
            count=tally["left out"],
            of=tally["spans"],
        )
    return examples


def _look_up(keys: SpanKeys, columns: Columns, rows: Sequence[Any], where: str) -> SpanKeys:
    """Returns the keys of spans, when all that is looked for stands in some row."""
    if not rows:
        return keys
    # Single rows may lack a key; one that no row has is misspelt, and would read as no label.
    for key in (keys.text, *(column for column in columns if column != _SPANS)):
        if all(find(row, key) is None for row in rows):
            hint = _TEXT_HINT if key == keys.text else ""
            raise no_key(key, rows, where, hint=hint)
    if _SPANS not in columns:
        return keys
    hint = ""
    if any(map(is_task, rows)):
        hint = " An export of Label Studio needs none of `spans`, `start`, `end` and `label`."
    return find_span_keys(keys, rows, where, hint)


def _example(
    row: Any, where: str, columns: Columns, layout: SpanLayout, tally: Counter[str]
) -> Example:
    text = find_value(row, layout.keys.text, str, where)
    words = cut_words(text, where)
    labels: dict[str, LabelValue] = {}
    spans: dict[str, tuple[CharSpan, ...]] = {}
    for column, kind in columns.items():
        if column == _SPANS:
            try:
                found = _spans(row, text, where, layout)
                spans[column] = check_spans(text, found, overlaps=layout.overlaps)
                tally.update({"spans": len(found), "left out": len(found) - len(spans[column])})
            except ValueError as error:
                raise DataError(f"{where}: {error}") from error
        elif (value := find(row, column)) is not None:
            labels[column] = _label(value, kind, f"{where}: '{column}'")
    return Example(words, labels, text=text, spans=spans)


def _spans(row: Any, text: str, where: str, layout: SpanLayout) -> list[CharSpan]:
    key = layout.keys.spans
    assert key is not None
    # Without the key there is nothing to tag, so all words are O: the row is labelled.
    found = [] if find(row, key) is None else find_value(row, key, list, where)
    spans = []
    for span in found:
        start, end, types, quoted = _parts(span, layout.keys, where)
        try:
            first, last = char_range(text, start, end, layout.offsets)
            if isinstance(quoted, str):
                check_quoted(text, start, end, quoted, layout.offsets)
        except ValueError as error:
            raise ValueError(f"span {start}-{end} ({', '.join(types)}) {error}") from error
        first, last = trimmed(text, first, last) if layout.trim else (first, last)
        spans += [CharSpan(first, last, kind) for kind in types]
    return spans


def _parts(span: Any, keys: SpanKeys, where: str) -> tuple[int, int, list[str], Any]:
    """Returns start, end, types and, where it is given, the text of a span."""
    if isinstance(span, list):
        # spaCy may have the id of a knowledge base behind the label.
        if [type(part) for part in span[:3]] != [int, int, str] or len(span) > 4:
            raise DataError(f"{where}: expected a span [start, end, label], found {short(span)}")
        return span[0], span[1], [span[2]], None
    if not isinstance(span, dict):
        raise DataError(f"{where}: expected an object or a list for a span, found {short(span)}")
    # Where one span is an object, the keys of objects have been found.
    assert keys.start is not None
    assert keys.end is not None
    assert keys.label is not None
    # Files that leave out zeros have no start where a span begins with the text.
    start = 0 if find(span, keys.start) is None else find_value(span, keys.start, int, where)
    label = find(span, keys.label)
    types = label if isinstance(label, list) else [label]
    if not all(isinstance(kind, str | int) and not isinstance(kind, bool) for kind in types):
        raise DataError(f"{where}: expected a string at '{keys.label}', found {short(label)}")
    quoted = None if keys.label == _QUOTED else span.get(_QUOTED)
    return start, find_value(span, keys.end, int, where), [str(kind) for kind in types], quoted


def _label(value: Any, kind: ColumnKind, where: str) -> LabelValue:
    """Returns the labels of a whole text."""
    column = COLUMNS[kind]
    if isinstance(value, Mapping):
        value = _chosen(value, where)
    if isinstance(value, list) and column.is_group and len(value) == 1:
        [value] = value
    elif isinstance(value, str) and column.may_be_empty:
        value = [value]  # as a string it would be cut at separators
    return column.from_cell(Cell(value, where, None, "", ""))


def _chosen(value: Mapping[str, Any], where: str) -> list[Any]:
    """Returns the labels that hold, of an object that has them all."""
    if value.keys() == {"choices"} and isinstance(value["choices"], list):
        return list(value["choices"])  # Label Studio, where several may be chosen
    if all(isinstance(share, int | float) for share in value.values()):
        return [label for label, share in value.items() if share >= 0.5]  # `cats` of spaCy
    raise DataError(
        f"{where}: expected a label, a list, or an object {{label: 0 or 1}}, found {short(value)}"
    )


def _note_bare_spans(keys: SpanKeys, rows: Sequence[Any], notes: SplitNotes) -> None:
    """Notes spans whose list of types is empty, as of regions that nobody has labelled yet."""
    if keys.spans is None or keys.label is None:
        return
    lists = (value for row in rows if isinstance(value := find(row, keys.spans), list))
    spans = [span for value in lists for span in value if isinstance(span, dict)]
    if count := sum(find(span, keys.label) == [] for span in spans):
        text = f"{count:,} of {len(spans):,} spans have no label, and are left out"
        notes.add("bare", text, count=count, of=len(spans))
