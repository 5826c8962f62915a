"""Looks at rows of JSON with character spans, as tools for annotation write them."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from mtl_core.data.formats.json_files import find
from mtl_core.data.formats.span_exports import plain_rows
from mtl_core.data.formats.span_keys import SpanKeys, find_span_keys
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError
from tuning.init.columns import Column
from tuning.init.guess import DatasetGuess, TaskGuess, latin_share, rows_of, types_of
from tuning.init.label_tasks import have_blanks, label_task

_STARTS = ("start", "startIndex", "start_offset", "begin", "start_char")
_ENDS = ("end", "endIndex", "end_offset", "stop", "end_char")
_LABELS = ("label", "labels", "entity", "type", "tag", "slot", "entity_group")
_TEXTS = ("text", "sentence", "utterance", "content", "query")

Row = Mapping[str, Any]


def spans_guess(files: Mapping[str, Sequence[Path]]) -> DatasetGuess | None:
    """Returns the data set and tasks of texts with spans; None = the files have none.

    Args:
        files: Split -> its files.
    """
    try:
        found = {split: _rows(paths) for split, paths in files.items()}
    except DataError:
        return None
    rows = [row for part in found.values() for row in part]
    keys = _keys(rows) if rows else None
    if keys is None:
        return None
    given, whole = keys
    kinds = Counter(kind for spans in _spans_of(rows, whole) for _, _, kind in spans)
    if not kinds:
        return None
    settings: dict[str, object] = {"kind": "spans_json"}
    settings |= {key: value for key, value in given.items() if (key, value) != ("text", "text")}
    notes = []
    if _overlap(rows, whole):
        settings["overlaps"] = "longest"
        notes.append("some spans share characters; of such the longest stays")
    seen = f"{kinds.total():,} spans of {types_of(kinds)}"
    tasks = [TaskGuess("spans", {"kind": "tagging", "column": "spans"}, seen)]
    columns = _columns(rows, besides=(whole.text, whole.spans))
    if have_blanks(columns):
        settings["labels"] = {"strip": True}
    tasks += [task for column in columns if (task := label_task(column)) is not None]
    texts = [str(find(row, whole.text)) for row in rows]
    lengths = [len(text.split()) for text in texts]
    counts = {split: len(part) for split, part in found.items()}
    if empty := sum(not length for length in lengths):
        notes.append(f"{rows_of(empty)} without a text")
    return DatasetGuess(settings, tasks, counts, lengths, latin_share(texts), notes)


def _columns(rows: Sequence[Row], *, besides: Collection[str | None]) -> list[Column]:
    names = dict.fromkeys(name for row in rows for name in row if name not in besides)
    return [Column(name, [row.get(name) for row in rows]) for name in names]


def _rows(paths: Sequence[Path]) -> list[Row]:
    """Returns the rows of files, with exports of tools made plain as the reader makes them."""
    rows = [row for path in paths for _, row in plain_rows(path, "text", SplitNotes("train"))]
    return [row for row in rows if isinstance(row, Mapping)]


def _keys(rows: Sequence[Row]) -> tuple[dict[str, str], SpanKeys] | None:
    """Returns the keys that have to be said, and all keys; None = there are no spans."""
    text = _text_key(rows)
    if text is None:
        return None
    try:
        whole = find_span_keys(SpanKeys(text), rows, "")
    except DataError:
        return _unusual_keys(rows, text)
    if any(_spans_of(rows, whole)):
        return {"text": text}, whole
    return _unusual_keys(rows, text)


def _text_key(rows: Sequence[Row]) -> str | None:
    """Returns the key of the texts: a usual one, or that of the longest string."""
    lengths: Counter[str] = Counter()
    for row in rows[:100]:
        for key, value in _leaves(row):
            if isinstance(value, str):
                lengths[key] += len(value)
    for name in _TEXTS:
        usual = [key for key in lengths if key.split(".")[-1] == name]
        if usual:
            return min(usual, key=lambda key: key.count("."))
    return max(lengths, key=lambda key: lengths[key]) if lengths else None


def _unusual_keys(rows: Sequence[Row], text: str) -> tuple[dict[str, str], SpanKeys] | None:
    for row in rows:
        for spans, value in _leaves(row):
            span = value[0] if isinstance(value, list) and value else None
            if isinstance(span, list):
                keys = SpanKeys(text, spans)
                if any(_spans_of(rows, keys)):
                    return {"text": text, "spans": spans}, keys
            # A span that begins its text may lack the start, so several are looked at.
            inner = dict(leaf for part in _objects(rows[:100], spans) for leaf in _leaves(part))
            end, label = _named(inner, _ENDS), _named(inner, _LABELS)
            if end and label:
                start = _named(inner, _STARTS) or f"{end.rpartition('.')[0]}.start".lstrip(".")
                given = {"text": text, "spans": spans, "start": start, "end": end, "label": label}
                return given, SpanKeys(**given)
    return None


def _objects(rows: Sequence[Row], key: str) -> Iterator[Row]:
    """Yields the objects in the lists at a key."""
    for row in rows:
        found = find(row, key)
        parts = found if isinstance(found, list) else []
        yield from (part for part in parts if isinstance(part, Mapping))


def _leaves(node: Row, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields key and value of all that is no object, keys joined by dots."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _named(leaves: Row, names: Sequence[str]) -> str:
    keys = {key.split(".")[-1]: key for key in leaves}
    return next((keys[name] for name in names if name in keys), "")


def _spans_of(rows: Sequence[Row], keys: SpanKeys) -> Iterator[list[tuple[int, int, str]]]:
    """Yields start, end and type of the spans of each row that has some."""
    for row in rows:
        found = find(row, keys.spans or "")
        spans = [_parts(span, keys) for span in found] if isinstance(found, list) else []
        whole = [(start, end, kind) for start, end, kinds in spans for kind in kinds]
        if whole:
            yield whole


def _parts(span: Any, keys: SpanKeys) -> tuple[int, int, list[str]]:
    """Returns start, end and types of a span; no types where it is none."""
    if isinstance(span, list) and [type(part) for part in span[:3]] == [int, int, str]:
        return span[0], span[1], [span[2]]
    if keys.start is None or keys.end is None or keys.label is None:
        return 0, 0, []
    start, end, kind = (find(span, key) for key in (keys.start, keys.end, keys.label))
    kinds = kind if isinstance(kind, list) else [kind]
    is_span = isinstance(start or 0, int) and isinstance(end, int) and kind is not None
    return (start or 0, end, list(map(str, kinds))) if is_span else (0, 0, [])


def _overlap(rows: Sequence[Row], keys: SpanKeys) -> bool:
    return any(
        second[0] < first[1]
        for spans in _spans_of(rows, keys)
        for first, second in pairwise(sorted(spans))
    )
