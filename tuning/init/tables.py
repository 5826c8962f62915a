"""Reads tables to look at them: CSV and its relatives, rows of JSON, Parquet."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.data.columns.cells import list_in
from mtl_core.data.formats.text_files import LONGEST
from mtl_core.errors import DataError
from tuning.init.columns import Column
from tuning.init.content import Content
from tuning.init.guess import shown

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 200_000
"""Characters that tell the delimiter."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A table and how it is read.

    Attributes:
        columns: Its columns.
        settings: The keys of the study file that read it, `kind` first.
        notes: What was decided about its form.
        takes_encoding: Whether its format has a setting for the encoding.
    """

    columns: Sequence[Column]
    settings: Mapping[str, object]
    notes: Sequence[str] = ()
    takes_encoding: bool = False


@dataclass(frozen=True, slots=True)
class _Dialect:
    delimiter: str
    quote: str | None
    rows: list[list[str]]


def csv_table(contents: Sequence[Content]) -> LookedAt | None:
    """Returns what a file of cells between delimiters holds; None = it is none.

    Args:
        contents: The files, of which the first tells the form.
    """
    found = _dialect(contents[0])
    if found is None:
        return None
    rows = [row for row in found.rows if row]
    for content in contents[1:]:
        more = _parse(content.text, found.delimiter, found.quote) or []
        rows += [row for row in more if row and row != rows[0]]
    settings: dict[str, object] = {"kind": "csv"}
    if found.delimiter != ",":
        settings["delimiter"] = found.delimiter
    if found.quote is None:
        settings["quote"] = None
    notes = []
    if _has_header(rows):
        header, rows = rows[0], rows[1:]
    else:
        header = [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
        settings["columns"] = header
        notes.append("the first line is a row, so the columns were named here")
    rows = [row for row in rows if len(row) == len(header)]
    cells = [[row[place] for row in rows] for place in range(len(header))]
    columns = [Column(name, _with_lists(c)) for name, c in zip(header, cells, strict=True)]
    return LookedAt(columns, settings, notes, takes_encoding=True)


def json_rows(contents: Sequence[Content]) -> list[Mapping[str, Any]] | None:
    """Returns the objects of JSON lines or of JSON lists; None = the files are neither."""
    rows: list[Mapping[str, Any]] = []
    for content in contents:
        found = _json_rows(content.text)
        if not found:
            return None
        rows += found
    return rows


def row_columns(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Returns the columns of rows of JSON; a row may lack a key."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [Column(name, [row.get(name) for row in rows]) for name in names]


def parquet_table(paths: Sequence[Path]) -> LookedAt:
    """Returns what Parquet files hold.

    Raises:
        DataError: A file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        tables = [pq.read_table(path) for path in paths]
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{paths[0]}: cannot be read as Parquet: {shown(error, 80)}") from error
    names = _class_names(tables[0].schema.metadata or {})
    columns = [
        Column(name, [cell for table in tables for cell in table[name].to_pylist()],
               names.get(name, ()))
        for name in tables[0].column_names
    ]  # fmt: skip
    return LookedAt(columns, {"kind": "parquet"})


def _dialect(content: Content) -> _Dialect | None:
    """Returns the delimiter by which the rows have one width, and the most columns."""
    found: list[tuple[float, int, str, str | None]] = []
    is_whole = len(content.text) <= _SAMPLE
    sample = content.text[:_SAMPLE]
    for delimiter in _DELIMITERS:
        for quote in ('"', None):
            rows = _parse(sample, delimiter, quote, is_whole=is_whole)
            widths = Counter(len(row) for row in rows or () if row)
            if rows and widths:
                width, count = widths.most_common(1)[0]
                share = round(count / widths.total(), 2)
                if width > 1 and share >= 0.9 and len(rows[0]) == width:
                    found.append((share, width, delimiter, quote))
                    break  # Without quotes only where it cannot be read with them.
    if found:
        _, _, delimiter, quote = max(found, key=lambda item: item[:2])
        # Behind the sample a quote may stand that is text.
        return _with_rows(content, delimiter, quote) or _with_rows(content, delimiter, None)
    # One column has no delimiter; only its name tells that it is a table.
    if re.search(r"\.(csv|tsv)\b", content.path.name.lower()):
        single = _with_rows(content, ",", '"')
        if single and single.rows and all(len(row) <= 1 for row in single.rows):
            return single
    return None


def _with_rows(content: Content, delimiter: str, quote: str | None) -> _Dialect | None:
    rows = _parse(content.text, delimiter, quote)
    return None if rows is None else _Dialect(delimiter, quote, rows)


def _parse(
    text: str, delimiter: str, quote: str | None, *, is_whole: bool = True
) -> list[list[str]] | None:
    """Returns the rows of a text; None where it is no CSV.

    Args:
        text: The text.
        delimiter: What stands between cells.
        quote: What cells are quoted by; None = nothing.
        is_whole: Whether nothing was cut off its end; else the last row is left out.
    """
    csv.field_size_limit(LONGEST)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=quote or '"',
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        strict=True,
    )
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error:
        is_at_end = reader.line_num > text.count("\n")
        return None if is_whole or not is_at_end else rows
    return rows if is_whole else rows[:-1]


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the first row names the columns.

    A name is short, no number, stands once, and does not come back among the cells below it.
    """
    first, rest = rows[0], rows[1:]
    names = [name.strip() for name in first]
    # The index that pandas writes has no name.
    filled = [name for name in names if name]
    if len(set(filled)) < len(filled) or len(filled) < len(names) - 1 or not filled:
        return False
    for place, name in enumerate(names):
        below = {row[place].strip() for row in rest if len(row) > place}
        if name and (_is_number(name) or name in below or len(name) > 60):
            return False
    # Two sentences may differ from all below, but they are no names.
    return sum(len(name.split()) <= 3 for name in names) >= len(names) / 2


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_lists(cells: Sequence[str]) -> list[object]:
    """Returns cells with the lists that they write, where all do; see `list_in`."""
    try:
        lists = [list_in(cell, "") if cell.strip() else () for cell in cells]
    except DataError:
        return list(cells)
    if None in lists or not any(lists):
        return list(cells)
    return [list(found) if found else None for found in lists]


def _json_rows(text: str) -> list[Mapping[str, Any]]:
    """Returns the objects of a JSON list or of JSON lines; [] where it is neither."""
    try:
        if text.lstrip()[:1] == "[":
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        return []
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else []


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """Returns the names behind class numbers that `datasets` writes into Parquet files."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    names = {}
    for name, feature in features.items():
        inner = feature.get("feature", feature) if isinstance(feature, Mapping) else {}
        if isinstance(inner, Mapping) and isinstance(inner.get("names"), list):
            names[name] = inner["names"]
    return names
