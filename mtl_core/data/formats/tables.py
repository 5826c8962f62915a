"""The formats of tables in files: CSV, JSON lines and Parquet."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns, FilesBase
from mtl_core.data.formats.table_rows import TableColumns, table_examples
from mtl_core.data.formats.table_source import TableSource, load_table
from mtl_core.data.formats.text_files import LONGEST, read_lines
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError
from mtl_core.files import hash_files


class Table(TableColumns, FilesBase):
    """CSV, JSON-lines or Parquet files, read by `datasets`."""

    kind: Literal["csv", "jsonl", "parquet"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Separator of CSV columns; one character."""
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    """What CSV cells are quoted by; null = a quote is text, as in most tab-separated files."""
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the columns of a CSV file without a header; null = the first line has them."""

    def read_split(self, source: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        table = table_files(
            self.kind, source, delimiter=self.delimiter, quote=self.quote, header=self.columns
        )
        return table_examples(table, self.layout(), columns)


def table_files(
    kind: Literal["csv", "jsonl", "parquet"],
    path: str,
    *,
    delimiter: str,
    quote: str | None,
    header: Sequence[str] | None,
) -> TableSource:
    """Loads one file.

    Args:
        kind: What the file is.
        path: Where it lies.
        delimiter: Separator of CSV columns.
        quote: What CSV cells are quoted by; None = nothing.
        header: Names of CSV columns; None = the first line has them.

    Raises:
        DataError: The file is missing, is not UTF-8, or cannot be parsed.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such file")
    options: dict[str, object] = {}
    # `datasets` does not say in which line a text file is broken.
    if kind == "csv":
        options = _csv_options(Path(path), delimiter, quote, header)
    elif kind == "jsonl":
        _check_json_lines(Path(path))
    builder = {"csv": "csv", "jsonl": "json", "parquet": "parquet"}[kind]
    content = hash_files([Path(path)])
    return load_table(path, content, builder, data_files={"train": path}, split="train", **options)


def _csv_options(
    path: Path, delimiter: str, quote: str | None, header: Sequence[str] | None
) -> dict[str, object]:
    """Checks a CSV file line by line.

    Returns:
        Options that keep every cell the text it is: no "NA" as missing, no "007" as 7.
    """
    import datasets

    # For a reader QUOTE_MINIMAL means: quotes are read as quotes; QUOTE_NONE: as text.
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    names = _csv_columns(path, delimiter, quote, quoting, header)
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise DataError(
            f"{path}: two columns are named '{twice[0]}'; columns found: {', '.join(names)}"
        )
    return {
        "features": datasets.Features({name: datasets.Value("string") for name in names}),
        "sep": delimiter,
        "keep_default_na": False,
        "quoting": quoting,
        "quotechar": quote or '"',
        # By name, as `datasets` calls a column without one, such as the index of pandas, otherwise.
        "column_names": names,
        "header": 0 if header is None else None,
    }


def _csv_columns(
    path: Path,
    delimiter: str,
    quote: str | None,
    quoting: Literal[0, 3],
    header: Sequence[str] | None,
) -> list[str]:
    """Returns the names of the columns, when there are rows and each has as many cells."""
    read_lines(path)  # for its errors: not UTF-8, or an endless line
    csv.field_size_limit(LONGEST)  # of the whole process; its default is less than a line may have
    # newline="": a quoted cell may hold line feeds, which the csv module has to see as they are.
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(
            file, delimiter=delimiter, quotechar=quote or '"', quoting=quoting, strict=True
        )
        try:
            names = list(header or next(rows, []))
            num_rows = 0
            # Empty lines are no rows; `datasets` passes over them, too.
            for row in rows:
                num_rows += bool(row)
                if row and len(row) != len(names):
                    raise DataError(
                        f"{path}:{rows.line_num}: expected {len(names)} columns "
                        f"({', '.join(names)}), found {len(row)}"
                    )
        except csv.Error as error:
            raise DataError(f"{path}:{rows.line_num}: not CSV: {error}") from error
    if not names:
        raise DataError(f"{path}:1: expected a header with the column names, found an empty file")
    if not num_rows:
        raise DataError(f"{path}: expected rows{'' if header else ' below the header'}, found none")
    return names


def _check_json_lines(path: Path) -> None:
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number}: not JSON: {error.msg}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: expected an object, found {line[:40]}")
