"""Cells of tables: what label columns read their values from."""

import ast
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_core.errors import DataError

_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
"""A whole number as pandas writes it once a row of the column is empty."""
_ITEM = re.compile(
    r"""\s*(?:('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([^\s,'"()\[\]{}]+))\s*(?:,|(?=\s)|$)""",
    re.DOTALL,
)
"""An item of a list as Python and numpy print it: a string in quotes, or a number or constant."""
_CONSTANTS = {"True": True, "False": False, "None": None, "null": None, "nan": math.nan}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a label column, and what it takes to read it.

    Attributes:
        value: What stands in it.
        where: Row and column, for messages.
        names: The names behind a column of class numbers, else None.
        separator: What stands between the labels of a set.
        second: The second text of the row, of a question its context; "" = none.
        is_text: Whether the table holds texts alone, as CSV does, so that 1 may be written 1.0.
    """

    value: object
    where: str
    names: Sequence[str] | None
    separator: str
    second: str
    is_text: bool = False

    def label(self, value: object) -> str:
        """Returns a value of the cell as a label: of a class number its name.

        Args:
            value: The value of the cell, or one item of it.

        Raises:
            DataError: It is null, a list, an object, or a class number without a name.
        """
        if value is None or isinstance(value, list | dict):
            raise DataError(f"{self.where}: expected one label, found {short_of(value)}")
        if self.names is not None and isinstance(value, int):
            # -1 stands for "no label" in some data sets, and would be the last name.
            if not 0 <= value < len(self.names):
                raise DataError(
                    f"{self.where}: expected a class number from 0 to {len(self.names) - 1}, "
                    f"found {value}"
                )
            return self.names[value]
        # A column of class numbers becomes one of floats as soon as a row lacks its label.
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        if self.is_text and isinstance(value, str):
            return whole_number(value)
        return str(value)

    def items(self) -> tuple[object, ...]:
        """Returns the items of a list, also of one written as text; or the words of a string.

        Raises:
            DataError: A text begins and ends as a list, and cannot be read as one.
        """
        return items_of(self.value, self.where)


def whole_number(text: str) -> str:
    """Returns a text; "1" for "1.0", as pandas writes a whole number in a column with gaps."""
    found = _WHOLE.fullmatch(text)
    return found[1] if found else text


def items_of(value: object, where: str) -> tuple[object, ...]:
    """Returns the items of a list, also of one written as text; or the words of a string.

    Raises:
        DataError: A text begins and ends as a list, and cannot be read as one; or it is neither.
    """
    if isinstance(value, str):
        found = list_in(value, where)
        return tuple(value.split()) if found is None else found
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple(value)
    raise DataError(f"{where}: expected a list, found {short_of(value)}")


def list_in(text: str, where: str, brackets: Sequence[str] = ("[]",)) -> tuple[object, ...] | None:
    """Returns the list that a text writes, as JSON, Python or numpy print it; None = it is no list.

    A table of lists comes to this when pandas writes it to CSV.

    Args:
        text: The text.
        where: What the error begins with.
        brackets: What encloses a list.

    Raises:
        DataError: The text begins and ends as a list of several items, and cannot be read as one.
    """
    text = text.strip()
    if len(text) < 2 or text[0] + text[-1] not in brackets:
        return None
    try:
        found = json.loads(text) if text[0] == "[" else None
    except (ValueError, RecursionError):
        found = None
    items = tuple(found) if isinstance(found, list) else _printed_items(text[1:-1])
    if items is None and text[0] == "[" and re.search("[,'\"]", text):
        raise DataError(
            f"{where}: this looks like a list, but cannot be read as one: {short_of(text)}; "
            'expected, for instance, ["a", "b"]'
        )
    return items


def _printed_items(text: str) -> tuple[object, ...] | None:
    """Returns the items between the brackets of a printed list; None where one is neither."""
    items: list[object] = []
    place = 0
    text = text.strip()
    while place < len(text):
        found = _ITEM.match(text, place)
        if found is None:
            return None
        place = found.end()
        try:
            items.append(ast.literal_eval(found[1]) if found[1] else _constant(found[2]))
        except (ValueError, SyntaxError):
            return None
    return tuple(items)


def _constant(text: str) -> object:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        return int(text)
    except ValueError:
        return float(text)


def short_of(value: object) -> str:
    """Returns the first 40 characters of a value, to show in an error; "null" for None."""
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


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
