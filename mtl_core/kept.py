"""Reads what a study or a run keeps in files of its own: checked against a type, or one line.

Such a file may have been cut by a power failure, changed by hand, or come from a stranger. What is
wrong with it is said with the file, the line, the key, and what to do.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mtl_core.errors import ConfigError
from mtl_core.plain_file import read_plain
from mtl_core.printable import one_line
from mtl_core.validation import mismatch

T = TypeVar("T")

MOST_BYTES = 64 * 2**20
"""Bytes of a file; the reports of a trial of 10,000 epochs have 20 MiB."""


class BrokenError(ConfigError):
    """A file that a study or a run keeps is not as it was written."""


def read_kept(path: Path, schema: type[T], *, remedy: str) -> T | None:
    """Returns what a JSON file holds; None when nothing is there.

    Args:
        path: The file.
        schema: Its type, such as a dataclass; types of JSON are not turned into others.
        remedy: What to do about a broken one.

    Raises:
        BrokenError: It is no file, cannot be read, or holds something else.
    """
    content = read_bytes(path, remedy=remedy)
    return None if content is None else as_kept(content, schema, where=str(path), remedy=remedy)


def read_bytes(path: Path, *, remedy: str) -> bytes | None:
    """Returns the content of a file; None when nothing is there.

    Raises:
        BrokenError: It is no file, is too large, or cannot be read.
    """
    try:
        return read_plain(path, most_bytes=MOST_BYTES)
    except ConfigError as error:
        raise BrokenError(f"{error}; {remedy}") from error


def as_kept(content: bytes, schema: type[T], *, where: str, remedy: str) -> T:
    """Returns what JSON holds, as a value of a type; see `read_kept`.

    Args:
        content: A document, or a line.
        schema: Its type.
        where: The file, or file and line.
        remedy: What to do about a broken one.

    Raises:
        BrokenError: It holds something else.
    """
    try:
        found: T = _adapter(schema).validate_json(  # type: ignore[arg-type]  # types are hashable
            content, strict=True
        )
        return found
    except ValidationError as error:
        wrong = first_error(content, error)
        text = f"{where}: a file of the study is broken: {wrong}; {remedy}"
        raise BrokenError(one_line(text)) from error


@cache
def _adapter(schema: Any) -> TypeAdapter[Any]:
    return TypeAdapter(schema)


def first_error(content: bytes, error: ValidationError) -> str:
    """Returns what is wrong with JSON first, in words: "dev.f1: expected a number, found 'x'"."""
    errors = error.errors(include_url=False)
    first = errors[0]
    if first["type"] == "json_invalid":
        place = str(first["ctx"]["error"]).replace(" at line 1 column ", " at character ")
        return f"no JSON: {place}"
    data = json.loads(content)
    path = _path(data, first)
    # The arms of a union fail at one key: what any of them takes is allowed there.
    group = [one for one in errors if _path(data, one) == path]
    return f"{path}: {_wrong(first, group)}" if path else _wrong(first, group)


def _path(data: object, details: ErrorDetails) -> str:
    """Returns the dotted key of an error, without the names of types that pydantic puts in."""
    path: list[str] = []
    for part in details["loc"]:
        try:
            data = data[part]  # type: ignore[index]  # Or it has no keys.
        except (IndexError, KeyError, TypeError):
            continue
        path.append(str(part)[:40])
    return ".".join(path)


def _wrong(first: ErrorDetails, group: list[ErrorDetails]) -> str:
    if first["type"] == "missing":
        return f"there is no '{first['loc'][-1]}'"
    if first["type"] == "union_tag_invalid":
        name = first["ctx"]["discriminator"].strip("'")
        return f"{name}: expected {first['ctx']['expected_tags']}, found {first['ctx']['tag']}"
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return "no such key is known"
    return mismatch(group)
