"""A table as its readers give it: names of columns, and rows with their places, one by one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mtl_core.errors import DataError

Row = Mapping[str, object] | DataError
"""Cells by column, or why the row cannot be read."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table that is being read.

    Attributes:
        where: The name that errors use for it.
        columns: The names of all its columns.
        rows: Place (`file:line`) and cells of every row, at least those of the columns asked for.
        names: Column of class numbers, or of lists of them -> the names behind the numbers.
        is_text: Whether cells are text as it stands in the file, so that 1 may be written 1.0.
    """

    where: str
    columns: Sequence[str]
    rows: Iterable[tuple[str, Row]]
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_text: bool = False


def cells_of(row: Mapping[str, object], used: Collection[str]) -> dict[str, object]:
    """Returns the cells of the columns that are used; None where the row lacks one."""
    return {column: row.get(column) for column in used}
