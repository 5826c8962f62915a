"""Rows of JSON files, and looking up keys in them, with errors that name the place."""

import json
from pathlib import Path
from typing import Any

from mtl_core.data.formats.text_files import read_json, read_lines, read_text
from mtl_core.errors import DataError, did_you_mean

_NAMES: dict[type, str] = {str: "string", int: "whole number", list: "list"}


def json_rows(path: Path) -> list[tuple[str, Any]]:
    """Returns place and content of the rows of a JSON file.

    Args:
        path: A file with a JSON list, JSON lines, or a single object, which then is the one row.

    Raises:
        DataError: The file cannot be read, or is not JSON.
    """
    text = read_text(path)
    if not text.strip():
        return []
    if not _is_lines(text):
        whole = read_json(path)
        # [text, {...}] may stand on the only line of a file.
        is_row = not isinstance(whole, list) or [type(part) for part in whole] == [str, dict]
        if is_row:
            return [(str(path), whole)]
        return [(f"{path}: row {number}", row) for number, row in enumerate(whole, start=1)]
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                rows.append((f"{path}:{number}", json.loads(line)))
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON: {error.msg}") from error
            except RecursionError as error:
                raise DataError(f"{path}:{number}: not usable JSON: nested too deeply") from error
    return rows


def _is_lines(text: str) -> bool:
    """Returns whether a text is JSON lines: more stands behind what its first line holds."""
    first = text.lstrip().partition("\n")[0]
    try:
        json.loads(first)
    except (json.JSONDecodeError, RecursionError):
        return False
    return bool(text.lstrip()[len(first) :].strip())


def find(row: Any, key: str) -> Any:
    """Returns the value of a dotted key; None when it is not there."""
    for part in key.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def find_value(row: Any, key: str, kind: type, where: str) -> Any:
    """Returns the value of a dotted key, checked.

    Raises:
        DataError: The value is not of the kind, or not there; the message begins with `where`.
    """
    return _checked(find(row, key), key, kind, where)


def get_key(row: Any, key: str, kind: type, where: str) -> Any:
    """Returns the value of a key, which may have dots in it.

    Raises:
        DataError: There is no such key, or its value is not of the kind; see `find_value`.
    """
    if not isinstance(row, dict) or key not in row:
        keys = row if isinstance(row, dict) else ()
        near = f".{nearest}" if (nearest := did_you_mean(key, keys)) else ""
        found = ", ".join(keys) or short(row)
        raise DataError(f"{where}: there is no key '{key}'; found {found}{near}")
    return _checked(row[key], key, kind, where)


def short(value: Any) -> str:
    """Returns the first 40 characters of a value as JSON, to show in an error."""
    text = json.dumps(value, ensure_ascii=False)  # people search their file for what they read
    return text if len(text) <= 40 else f"{text[:40]}..."


def _checked(value: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DataError(f"{where}: expected a {_NAMES[kind]} at '{key}', found {short(value)}")
    return value
