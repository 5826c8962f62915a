"""Cells of tables: what label columns read their values from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_core.errors import DataError


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a label column, and what it takes to read it.

    Attributes:
        value: What stands in it.
        where: Row and column, for messages.
        names: The names behind a column of class numbers, else None.
        separator: What stands between the labels of a set.
        second: The second text of the row, of a question its context; "" = none.
    """

    value: object
    where: str
    names: Sequence[str] | None
    separator: str
    second: str

    def label(self, value: object) -> str:
        """Returns a value of the cell as a label: of a class number its name.

        Args:
            value: The value of the cell, or one item of it.

        Raises:
            DataError: It is null, a list, an object, or a class number without a name.
        """
        if value is None or isinstance(value, list | dict):
            found = "null" if value is None else str(value)[:40]
            raise DataError(f"{self.where}: expected one label, found {found}")
        if self.names is not None and isinstance(value, int):
            # -1 stands for "no label" in some data sets, and would be the last name.
            if not 0 <= value < len(self.names):
                raise DataError(
                    f"{self.where}: expected a class number from 0 to {len(self.names) - 1}, "
                    f"found {value}"
                )
            return self.names[value]
        if isinstance(value, float) and value.is_integer():
            # A column of class numbers becomes one of floats as soon as a row lacks its label.
            return str(int(value))
        return str(value)


def items_of(value: object) -> tuple[object, ...]:
    """Returns the items of a list, or the words of a string."""
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(value) if isinstance(value, Sequence) else ()


def number_of(value: object, where: str) -> float:
    """Returns a value as a finite number.

    Raises:
        DataError: It is no number, NaN or infinite.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan  # the same error as for a NaN that stands in the data
    if not math.isfinite(number):
        raise DataError(f"{where}: expected a number, found '{value}'")
    return number
