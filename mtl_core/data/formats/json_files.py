"""Looking up keys in JSON, with errors that name the place."""

import json
from typing import Any

from mtl_core.errors import DataError

_NAMES: dict[type, str] = {str: "string", int: "whole number", list: "list"}


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
        found = ", ".join(row) if isinstance(row, dict) else short(row)
        raise DataError(f"{where}: there is no key '{key}'; found {found}")
    return _checked(row[key], key, kind, where)


def short(value: Any) -> str:
    """Returns the first 40 characters of a value as JSON, to show in an error."""
    text = json.dumps(value, ensure_ascii=False)  # people search their file for what they read
    return text if len(text) <= 40 else f"{text[:40]}..."


def _checked(value: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise DataError(f"{where}: expected a {_NAMES[kind]} at '{key}', found {short(value)}")
    return value
