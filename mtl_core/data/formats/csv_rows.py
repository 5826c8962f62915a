"""Reading CSV: every cell is the text that stands in the file, and rows know their lines."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from mtl_core.data.formats.table_source import Row, TableSource
from mtl_core.data.formats.text_columns import Dialect
from mtl_core.data.formats.text_files import LONGEST, read_text
from mtl_core.errors import DataError


def csv_table(path: Path, used: Collection[str], dialect: Dialect) -> TableSource:
    """Opens a CSV file; its rows are read as they are asked for.

    Args:
        path: The file.
        used: The columns whose cells are wanted.
        dialect: How it is written.

    Raises:
        DataError: The file is missing, is not in its encoding, or has no rows, or two of the
            columns that are used have one name.
    """
    lines = _reader(read_text(path, dialect.encoding), dialect)
    header = dialect.header
    names = list(header) if header is not None else _header(path, lines)
    other = None if set(used) <= set(names) else dialect.other_delimiter(names)
    if other is not None:
        raise DataError(
            f"{path}: its columns are parted by {other!r}, expected {dialect.delimiter!r}; say "
            f"`delimiter: {json.dumps(other)}` in the data set, or, for a model that is trained "
            f"already, make a copy of the file with {dialect.delimiter!r}"
        )
    if twice := [name for name in used if names.count(name) > 1]:
        raise DataError(
            f"{path}: two columns are named '{twice[0]}'; columns found: {', '.join(names)}"
        )
    return TableSource(str(path), names, _rows(path, lines, names, used), is_text=True)


def _reader(text: str, dialect: Dialect) -> Any:
    csv.field_size_limit(LONGEST)  # of the whole process; its default is less than a line may have
    # newline="": a quoted cell may hold line ends, which the csv module has to see as they are.
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or '"',
        # For a reader QUOTE_MINIMAL means: quotes are read as quotes; QUOTE_NONE: as text.
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=True,
    )


def _header(path: Path, lines: Any) -> list[str]:
    try:
        names: list[str] = next((row for row in lines if row), [])
    except csv.Error as error:
        raise DataError(f"{path}:1: not CSV: {error}") from error
    if not names:
        raise DataError(f"{path}:1: expected a header with the column names, found an empty file")
    return names


def _rows(
    path: Path, lines: Any, names: Sequence[str], used: Collection[str]
) -> Iterator[tuple[str, Row]]:
    places = {name: names.index(name) for name in used if name in names}
    start = lines.line_num + 1
    try:
        # Empty lines are no rows.
        for row in lines:
            where, start = f"{path}:{start}", lines.line_num + 1
            if row and len(row) != len(names):
                yield (
                    where,
                    DataError(
                        f"{where}: expected {len(names)} columns ({', '.join(names)}), "
                        f"found {len(row)}"
                    ),
                )
            elif row:
                yield where, {name: row[place] for name, place in places.items()}
    except csv.Error as error:
        # Most often a quote that is opened and never closed: the row is all that stands behind it.
        raise DataError(f"{path}:{start}: not CSV: {error}, in the row that begins here") from error
