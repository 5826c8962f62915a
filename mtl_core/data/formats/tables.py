"""The formats of tables in files: CSV, JSON lines and Parquet."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns, FilesBase
from mtl_core.data.formats.csv_rows import csv_table
from mtl_core.data.formats.json_rows import json_table
from mtl_core.data.formats.parquet_rows import parquet_table
from mtl_core.data.formats.table_rows import TableColumns, table_examples
from mtl_core.data.formats.text_columns import Dialect, TextColumns
from mtl_core.data.formats.text_files import Encoding
from mtl_core.data.notes import SplitNotes


class Table(TableColumns, FilesBase):
    """CSV, JSON-lines or Parquet files; a JSON file may also be one list of objects."""

    kind: Literal["csv", "jsonl", "parquet"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Separator of CSV columns; one character."""
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    """What CSV cells are quoted by; null = a quote is text, as in most tab-separated files."""
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the columns of a CSV file without a header; null = the first line has them."""
    encoding: Encoding = "utf-8"
    """How CSV files are written, such as cp1252, where no byte-order mark says so."""

    def text_columns(self) -> TextColumns:
        """Returns the columns by their names here, and how a CSV file is written."""
        if self.kind != "csv":
            return self.named_columns()
        return replace(self.named_columns(), dialect=self._dialect())

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        layout = self.layout()
        used = layout.used(columns)
        if self.kind == "csv":
            table = csv_table(path, used, self._dialect())
        else:
            table = (json_table if self.kind == "jsonl" else parquet_table)(path, used)
        return table_examples(table, layout, columns, notes, on_empty=self.on_empty)

    def _dialect(self) -> Dialect:
        return Dialect(self.delimiter, self.quote, self.columns, self.encoding)
