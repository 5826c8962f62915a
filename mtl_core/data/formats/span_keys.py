"""Where rows have their text and spans: keys that are given are looked for, others are found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mtl_core.data.formats.json_files import find
from mtl_core.errors import DataError, did_you_mean

_USUAL = {
    "spans": ("spans", "entities", "label", "labels", "annotations"),
    "start": ("start", "start_offset"),
    "end": ("end", "end_offset"),
    "label": ("label", "labels"),
}
"""Keys that spaCy, Prodigy, doccano and Label Studio have; the first that a file has is taken."""
_MOST_TOLD = 20
"""Keys that an error names."""
_Holds = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class SpanKeys:
    """Where the parts of a row stand; keys are joined by dots where objects stand in objects.

    Attributes:
        text: Key of the text.
        spans: Key of the list of spans; None = a usual one.
        start: Key, in a span, of its first character; None = a usual one.
        end: Key, in a span, of the character behind it; None = a usual one.
        label: Key, in a span, of its type, or of a list of types; None = a usual one.
    """

    text: str
    spans: str | None = None
    start: str | None = None
    end: str | None = None
    label: str | None = None


def find_span_keys(keys: SpanKeys, rows: Sequence[Any], where: str, hint: str = "") -> SpanKeys:
    """Returns keys that are all given, as far as the spans of a file have keys.

    Args:
        keys: The keys that are given.
        rows: The rows of the file.
        where: The file, for messages.
        hint: What is said at the end of an error on a key that is given.

    Raises:
        DataError: A key is found nowhere in the file.
    """
    at = _key_of("spans", keys.spans, rows, (_has_spans, _is_empty), where, "row", hint)
    lists = (value for row in rows if isinstance(value := find(row, at), list))
    # Spans that are lists, [start, end, label], need no keys.
    spans = [span for value in lists for span in value if isinstance(span, dict)]
    keys = replace(keys, spans=at)
    for part in ("start", "end", "label") if spans else ():
        given = getattr(keys, part)
        found = _key_of(part, given, spans, (_is_there,), where, f"span at '{at}'", hint)
        keys = replace(keys, **{part: found})
    return keys


def no_key(
    key: str, rows: Sequence[Any], where: str, kind: str = "row", hint: str = ""
) -> DataError:
    """Returns the error on a key that is found nowhere: it names those that are there.

    Args:
        key: The key, joined by dots.
        rows: The rows of the file, or the spans.
        where: What the error begins with.
        kind: What they are.
        hint: What is said at its end.
    """
    there = dict.fromkeys(name for row in rows for name in _names_in(row))
    if key in there:
        return DataError(f"{where}: every {kind} has null at '{key}'")
    told = ", ".join(list(there)[:_MOST_TOLD]) + (", ..." if len(there) > _MOST_TOLD else "")
    stop = next((at for row in rows if (at := _list_on_the_way(row, key))), "")
    stops = f"; a list stands at '{stop}', and keys lead through objects alone" if stop else ""
    return DataError(
        f"{where}: there is no key '{key}' in any {kind}{stops}; keys found: {told or 'none'}."
        f"{'' if stop else did_you_mean(key, there)}{hint}"
    )


def _key_of(
    part: str,
    given: str | None,
    rows: Sequence[Any],
    fits: Sequence[_Holds],
    where: str,
    kind: str,
    hint: str,
) -> str:
    """Returns the key of a part: the given one if a row has it, else the first usual one."""
    if given is not None:
        if not any(_is_there(find(row, given)) for row in rows):
            raise no_key(given, rows, where, kind, hint)
        return given
    for is_fit in fits:
        for key in _USUAL[part]:
            if any(is_fit(find(row, key)) for row in rows):
                return key
    if any(part in row for row in rows if isinstance(row, dict)):
        return part  # what stands there is told row by row
    usual = f" `{part}: KEY` names another than {', '.join(_USUAL[part])}."
    raise no_key(part, rows, where, kind, usual)


def _has_spans(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_may_be_span, value))


def _may_be_span(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and len(value) > 2)


def _is_empty(value: Any) -> bool:
    return isinstance(value, list) and not value


def _is_there(value: Any) -> bool:
    return value is not None


def _names_in(row: Any, before: str = "") -> Iterator[str]:
    """Yields the keys of an object, those of objects in it joined by dots."""
    for key, value in row.items() if isinstance(row, dict) else ():
        if isinstance(value, dict) and value:
            yield from _names_in(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


def _list_on_the_way(row: Any, key: str) -> str:
    """Returns the key of the list that a key would lead into, "" where there is none."""
    parts = key.split(".")
    for number in range(1, len(parts)):
        if isinstance(find(row, at := ".".join(parts[:number])), list):
            return at
    return ""
