"""Exports of annotation tools as plain rows: objects with a text, spans and labels by key.

The layouts are those of spaCy 2 (https://v2.spacy.io/usage/training), Prodigy
(https://prodi.gy/docs/api-interfaces) and Label Studio (https://labelstud.io/guide/task_format).
doccano, and Label Studio as JSON-MIN, write plain rows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_core.data.formats.json_files import find, sound_rows
from mtl_core.data.notes import SplitNotes

SPANS = "spans"
"""Key of all spans in the plain row of a task of Label Studio."""
_WORK = ("annotations", "completions")
"""Keys of what annotators did, in Label Studio; the second in old exports."""
_NOT_ACCEPTED = ("reject", "ignore")
"""What Prodigy has at `answer` of rows that are none."""


def plain_rows(path: Path, text_key: str, notes: SplitNotes) -> list[tuple[str, Any]]:
    """Returns place and content of the rows of a file.

    Rows of two, [text, {...}], become objects with the key `text`. A task of Label Studio becomes
    an object with the keys of its `data`, with the spans at `spans` and at the name of their
    control, and with other choices at the name of theirs.

    Args:
        path: A JSON list, JSON lines, or an object with the list of the rows in it.
        text_key: Dotted key of the text, in rows that are objects.
        notes: Gets what is left out.

    Raises:
        DataError: The file cannot be read, or is not JSON.
    """
    rows = sound_rows(path)
    if len(rows) == 1:
        rows = _unwrapped(*rows[0], text_key)
    rows = [
        (where, {"text": row[0], **row[1]} if _is_pair(row) else row)
        for where, row in rows
        if row is not None  # the NER Annotator of tecoholic ends its list so
    ]
    reads = _tasks if any(is_task(row) for _, row in rows) else _accepted
    return reads(rows, notes)


def is_task(row: Any) -> bool:
    """Returns whether a row is a task of Label Studio with the work of an annotator."""
    return isinstance(row, dict) and isinstance(row.get("data"), dict) and bool(_results(row))


def _unwrapped(where: str, row: Any, text_key: str) -> list[tuple[str, Any]]:
    """Returns the rows that the only object of a file holds in a list, or the object itself."""
    keys = row if isinstance(row, dict) else ()
    lists = [key for key in keys if _holds_rows(row[key])]
    if len(lists) != 1 or find(row, text_key) is not None or is_task(row):
        return [(where, row)]
    [key] = lists
    file = where.rpartition(":")[0]
    return [(f"{file}: {key}[{number}]", item) for number, item in enumerate(row[key])]


def _holds_rows(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _is_pair(row: Any) -> bool:
    return isinstance(row, list) and [type(part) for part in row] == [str, dict]


def _accepted(rows: list[tuple[str, Any]], notes: SplitNotes) -> list[tuple[str, Any]]:
    """Returns the rows without those that were turned down in Prodigy."""
    kept = [
        (where, row)
        for where, row in rows
        if find(row, "_task_hash") is None or find(row, "answer") not in _NOT_ACCEPTED
    ]
    if left_out := len(rows) - len(kept):
        text = f"{left_out:,} of {len(rows):,} rows are left out, as their answer is not accept"
        notes.add("rejected", text, level="hint", count=left_out, of=len(rows))
    return kept


def _tasks(rows: list[tuple[str, Any]], notes: SplitNotes) -> list[tuple[str, Any]]:
    """Returns the tasks of Label Studio that somebody has worked on, as plain rows."""
    results = [_results(row) for _, row in rows]
    counts = {
        "have no annotation that stands, and are left out": sum(not one for one in results),
        "have several annotations; one is read, the ground truth or else the first": sum(
            len(one) > 1 for one in results
        ),
    }
    for said, count in counts.items():
        if count:
            text = f"{count:,} of {len(rows):,} tasks {said}"
            notes.add("annotations", text, level="hint", count=count, of=len(rows))
    return [
        (where, _plain(row, one[0])) for (where, row), one in zip(rows, results, strict=True) if one
    ]


def _results(row: Any) -> list[list[Any]]:
    """Returns the results of all annotations of a task that stand, the one to read first."""
    found: list[Any] = next((row[key] for key in _WORK if isinstance(find(row, key), list)), [])
    stand = [
        one
        for one in found
        if isinstance(find(one, "result"), list) and not one.get("was_cancelled")
    ]
    return [one["result"] for one in sorted(stand, key=lambda one: not one.get("ground_truth"))]


def _plain(row: Mapping[str, Any], result: list[Any]) -> dict[str, Any]:
    """Returns a task as a plain row."""
    found: dict[str, Any] = {SPANS: []}
    for part in result:
        value, kind, name = (find(part, key) for key in ("value", "type", "from_name"))
        # Relations have no value, and what is said of a region belongs to no row.
        is_said = isinstance(kind, str) and isinstance(name, str)
        if not isinstance(value, dict) or not is_said:
            continue
        if kind.endswith("labels"):
            # A region may have no label yet.
            span = {**value, "labels": value.get(kind, [])}
            found[SPANS].append(span)
            found.setdefault(name, []).append(span)
        elif "start" not in value:
            found[name] = value.get(kind)
    data = row.get("data")
    return {**row, **(data if isinstance(data, dict) else {}), **found}
