"""Reading rows of JSON, lines or one list: every value is what stands in the file."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from mtl_core.data.formats.json_files import short
from mtl_core.data.formats.table_source import Row, TableSource, cells_of
from mtl_core.data.formats.text_files import parse_json, read_text, split_lines
from mtl_core.errors import DataError


def json_table(path: Path, used: Collection[str]) -> TableSource:
    """Reads a file of JSON lines, or of one list of objects.

    Args:
        path: The file.
        used: The columns whose cells are wanted; a row may lack some.

    Raises:
        DataError: The file is missing or not UTF-8; or it is a list, and not JSON.
    """
    columns: dict[str, None] = {}
    rows: list[tuple[str, Row]] = []
    # Read to its end before any row is used: only all rows tell which columns there are.
    for where, row in json_rows(path):
        if isinstance(row, dict):
            columns.update(dict.fromkeys(row))
            rows.append((where, cells_of(row, used)))
        elif isinstance(row, DataError):
            rows.append((where, row))
        else:
            rows.append((where, DataError(f"{where}: expected an object, found {short(row)}")))
    return TableSource(str(path), list(columns), rows)


def json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields place and value of every row of JSON lines, or of one list; empty lines are no rows.

    The value of a line that is not JSON is the `DataError` that says so.

    Raises:
        DataError: The file is missing or not UTF-8; or it is a list, and not JSON.
    """
    text, place = read_text(path), str(path)
    # A row is an object, so a file that begins with a list is one, unless every line is.
    if text.lstrip()[:1] == "[":
        try:
            values = parse_json(text, place)
        except DataError as error:
            if not str(error).endswith("Extra data"):
                raise
        else:
            yield from ((f"{path}: row {n}", value) for n, value in enumerate(values, start=1))
            return
    for number, line in enumerate(split_lines(text, place), start=1):
        if line.strip():
            yield f"{path}:{number}", _parsed(line, place, number)


def _parsed(line: str, where: str, number: int) -> Any:
    try:
        return parse_json(line, where, number)
    except DataError as error:
        return error
