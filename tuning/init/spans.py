"""Looks at rows of JSON with character spans, as tools for annotation write them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tuning.init.columns import Column
from tuning.init.guess import DatasetGuess, TaskGuess, counted, latin_share

_STARTS = ("start", "startIndex", "start_offset", "begin", "start_char")
_ENDS = ("end", "endIndex", "end_offset", "stop", "end_char")
_LABELS = ("label", "labels", "entity", "type", "tag", "slot", "entity_group")


@dataclass(frozen=True, slots=True)
class _Keys:
    """Where the parts of spans stand; keys are joined by dots."""

    text: str
    spans: str
    start: str
    end: str
    label: str


def spans_guess(
    rows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]
) -> DatasetGuess | None:
    """Returns the data set and tasks of texts with spans; None = the rows have none.

    Args:
        rows: The objects of all splits.
        counts: Split -> number of its rows.
    """
    keys = _keys(rows)
    if keys is None:
        return None
    texts = [str(value) for row in rows if (value := _at(row, keys.text)) is not None]
    settings: dict[str, object] = {"kind": "spans_json"}
    defaults = {"text": "text", "spans": "spans", "start": "start", "end": "end", "label": "label"}
    for key, default in defaults.items():
        value = getattr(keys, key)
        if value and value != default:
            settings[key] = value
    kinds = Counter(_labels_of(rows, keys))
    seen = f"{kinds.total():,} spans of {len(kinds):,} types: {counted(kinds)}"
    tasks = [TaskGuess("spans", {"kind": "tagging", "column": "spans"}, seen)]
    if _overlap(rows, keys):
        settings["overlaps"] = "longest"
        seen_twice = ["some spans overlap: of such the longest stays"]
    else:
        seen_twice = []
    for name in dict.fromkeys(name for row in rows for name in row):
        column = Column(name, [row.get(name) for row in rows])
        if name not in (keys.text, keys.spans) and column.holds == "label":
            seen = f"{len(column.counts):,} labels: {counted(column.counts)}"
            tasks.append(TaskGuess(name, {"kind": "classification", "column": name}, seen))
    lengths = [len(text.split()) for text in texts]
    return DatasetGuess(settings, tasks, counts, lengths, latin_share(texts), seen_twice)


def _keys(rows: Sequence[Mapping[str, Any]]) -> _Keys | None:
    """Returns where spans stand in rows; None = nowhere."""
    for row in rows:
        for spans, value in _leaves(row):
            span = value[0] if isinstance(value, list) and value else None
            if _is_triple(span):
                return _with_text(row, spans, "", "", "")
            inner = dict(_leaves(span)) if isinstance(span, Mapping) else {}
            end = _named(inner, _ENDS)
            label = _named(inner, _LABELS)
            if end and label:
                start = _named(inner, _STARTS) or end.removesuffix(end.split(".")[-1]) + _STARTS[0]
                return _with_text(row, spans, start, end, label)
    return None


def _with_text(
    row: Mapping[str, Any], spans: str, start: str, end: str, label: str
) -> _Keys | None:
    """Returns the keys with that of the text: the longest string of the row."""
    texts = {key: value for key, value in _leaves(row) if isinstance(value, str)}
    if not texts:
        return None
    text = "text" if "text" in texts else max(texts, key=lambda key: len(texts[key]))
    return _Keys(text, spans, start, end, label)


def _leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields key and value of all that is no object, keys joined by dots."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _named(leaves: Mapping[str, Any], names: Sequence[str]) -> str:
    keys = {key.split(".")[-1]: key for key in leaves}
    return next((keys[name] for name in names if name in keys), "")


def _is_triple(span: object) -> bool:
    """Returns whether a span is written [start, end, label]."""
    return (
        isinstance(span, list)
        and len(span) == 3
        and all(isinstance(item, int) for item in span[:2])
        and isinstance(span[2], str)
    )


def _at(row: Any, key: str) -> Any:
    for name in key.split("."):
        row = row.get(name) if isinstance(row, Mapping) else None
    return row


def _spans_of(
    rows: Sequence[Mapping[str, Any]], keys: _Keys
) -> Iterator[list[tuple[int, int, str]]]:
    """Yields start, end and label of the spans of each row."""
    for row in rows:
        found = _at(row, keys.spans)
        spans = found if isinstance(found, list) else []
        if keys.end:
            parts = [(_at(s, keys.start) or 0, _at(s, keys.end), _at(s, keys.label)) for s in spans]
        else:
            parts = [tuple(span) for span in spans if _is_triple(span)]
        yield [(a, b, str(c)) for a, b, c in parts if isinstance(a, int) and isinstance(b, int)]


def _labels_of(rows: Sequence[Mapping[str, Any]], keys: _Keys) -> Iterator[str]:
    return (label for spans in _spans_of(rows, keys) for _, _, label in spans)


def _overlap(rows: Sequence[Mapping[str, Any]], keys: _Keys) -> bool:
    for spans in _spans_of(rows, keys):
        ordered = sorted(spans)
        if any(b[0] < a[1] for a, b in pairwise(ordered)):
            return True
    return False
