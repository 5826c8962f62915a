"""Reading rows of JSON, lines or one list: every value is what stands in the file."""

from collections.abc import Collection
from pathlib import Path

from mtl_core.data.formats.json_files import json_rows, short
from mtl_core.data.formats.table_source import Row, TableSource, cells_of
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
