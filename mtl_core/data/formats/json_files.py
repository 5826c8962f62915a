"""Rows of JSON files, and looking up keys in them, with errors that name the place."""

import json
from pathlib import Path
from typing import Any

from mtl_core.data.formats.text_files import parse_json, read_text, split_lines
from mtl_core.errors import DataError, did_you_mean

_MOST_TOLD = 10
"""Broken lines that an error names."""
_FIRST = 100
"""Lines among which one has to be a row, for a file to be JSON lines."""
_NAMES: dict[type, str] = {str: "string", int: "whole number", list: "list"}


def json_rows(path: Path) -> list[tuple[str, Any]]:
    """Returns place and value of every row of a JSON file.

    The value of a line that is not JSON is the `DataError` that says so.

    Args:
        path: A file with a JSON list, JSON lines, or a single value, which then is the one row.

    Raises:
        DataError: The file is missing or not UTF-8; or it is not JSON, and no line of it is.
    """
    text, place = read_text(path), str(path)
    if not text.strip():
        return []
    try:
        whole = parse_json(text.rstrip(), place)
    except DataError as error:
        rows = [
            (f"{path}:{number}", _parsed(line, place, number))
            for number, line in enumerate(split_lines(text, place), start=1)
            if line.strip()
        ]
        # Where no first line is a row, the file is one value over many lines, and broken.
        if not any(isinstance(row, dict | list) for _, row in rows[:_FIRST]):
            raise DataError(*error.lines) from error
        return rows
    # [text, {...}] may stand on the only line of a file.
    if not isinstance(whole, list) or [type(part) for part in whole] == [str, dict]:
        first = text[: len(text) - len(text.lstrip())].count("\n") + 1
        return [(f"{path}:{first}", whole)]
    return [(f"{path}: row {number}", row) for number, row in enumerate(whole, start=1)]


def sound_rows(path: Path) -> list[tuple[str, Any]]:
    """Returns the rows of a JSON file as `json_rows` does, when all of them are JSON.

    Raises:
        DataError: The file cannot be read, or lines of it are not JSON.
    """
    rows = json_rows(path)
    if bad := [str(row) for _, row in rows if isinstance(row, DataError)]:
        more = len(bad) - _MOST_TOLD
        raise DataError(*bad[:_MOST_TOLD], *([f"... and {more} more"] if more > 0 else ()))
    return rows


def _parsed(line: str, place: str, number: int) -> Any:
    try:
        return parse_json(line, place, number)
    except DataError as error:
        return error


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
