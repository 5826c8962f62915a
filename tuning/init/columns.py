"""What a column of a table holds: texts, labels, sets of labels, numbers, or nothing to learn.

All of it is a guess from names and values; the study file says what was seen, so that a reader can
decide otherwise.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

Holds = Literal[
    "nothing", "constant", "id", "date", "text", "words", "label", "labels", "multi-hot", "number",
    "numbers", "answers", "objects",
]  # fmt: skip

_ID_NAME = re.compile(r"(^|[_\W])(id|ids|idx|index|uuid|guid|key|hash|url|link|row|nr|no)$", re.I)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}.*")
_SEPARATORS = (",", ";", "|")
_MOST_LABELS = 1000
_MOST_CLASSES = 20
"""Distinct whole numbers; with more a column counts as one of numbers."""


@dataclass(frozen=True)
class Column:
    """A column and its cells.

    Attributes:
        name: Its name in the file.
        cells: A cell for each row: None = missing; texts, numbers, booleans, lists, objects.
        names: The names behind class numbers, where the file has them.
    """

    name: str
    cells: Sequence[object]
    names: Sequence[str] = ()

    @cached_property
    def filled(self) -> list[object]:
        """The cells that hold something."""
        return [cell for cell in self.cells if not is_missing(cell)]

    @cached_property
    def texts(self) -> list[str]:
        """The cells that hold something, as text."""
        return [str(cell).strip() for cell in self.filled]

    @cached_property
    def counts(self) -> Counter[str]:
        """Label -> its rows; of lists each item counts, and numbers have their names."""
        if self.holds == "labels":
            return Counter(label for cell in self.filled for label in self.labels_in(cell))
        return Counter(self._label(cell) for cell in self.filled)

    @cached_property
    def numbers(self) -> list[float]:
        """The cells as numbers; empty where one is none."""
        return _numbers(self.filled)

    @cached_property
    def mean_words(self) -> float:
        """Words per cell."""
        return sum(len(text.split()) for text in self.texts) / max(1, len(self.texts))

    @cached_property
    def holds(self) -> Holds:
        """What the column holds."""
        if not self.filled:
            return "nothing"
        if all(isinstance(cell, Mapping) for cell in self.filled):
            keys = {key for cell in self.filled if isinstance(cell, Mapping) for key in cell}
            return "answers" if {"text", "answer_start"} <= keys else "objects"
        if all(isinstance(cell, list) for cell in self.filled):
            return _holds_lists([cell for cell in self.filled if isinstance(cell, list)])
        if any(isinstance(cell, list | Mapping) for cell in self.filled):
            return "objects"
        if len(set(self.texts)) == 1:
            return "constant"
        return self._holds_numbers() if self.numbers else self._holds_texts()

    @cached_property
    def separator(self) -> str:
        """What stands between the labels of a cell, "" where cells hold one label each."""
        if all(isinstance(cell, str) for cell in self.filled):
            return next((sign for sign in _SEPARATORS if _is_set(self.texts, sign)), "")
        return ""

    def labels_in(self, cell: object) -> list[str]:
        """Returns the labels of a cell of a column of sets."""
        if isinstance(cell, list):
            return [self._label(item) for item in cell]
        parts = str(cell).split(self.separator) if self.separator else [str(cell)]
        return [part.strip() for part in parts if part.strip()]

    def _label(self, cell: object) -> str:
        if self.names and isinstance(cell, int) and 0 <= cell < len(self.names):
            return self.names[cell]
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return str(cell)

    def _holds_numbers(self) -> Holds:
        distinct = len(set(self.numbers))
        is_whole = all(number.is_integer() for number in self.numbers)
        is_id = bool(_ID_NAME.search(self.name)) or _are_codes(self.texts)
        # Each split may number its rows anew.
        if is_whole and (_is_run(self.numbers) or (is_id and distinct > 0.3 * len(self.numbers))):
            return "id"
        if self.names or (is_whole and distinct <= min(_MOST_CLASSES, len(self.numbers) / 2)):
            return "label"
        return "number"

    def _holds_texts(self) -> Holds:
        distinct, rows = len(set(self.texts)), len(self.texts)
        if all(_DATE.fullmatch(text) for text in self.texts):
            return "date"
        if self.separator:
            return "labels"
        is_id = bool(_ID_NAME.search(self.name)) and distinct > 0.3 * rows
        if self.mean_words < 1.2 and (is_id or distinct == rows):
            return "id"
        # Names of classes may be long, if each stands for many rows.
        is_short = self.mean_words <= 5 or distinct <= rows / 20
        if distinct <= min(_MOST_LABELS, rows / 2) and is_short:
            return "label"
        return "text"


def is_missing(cell: object) -> bool:
    """Returns whether a cell holds nothing: null, NaN, an empty text."""
    return (
        cell is None
        or (isinstance(cell, float) and math.isnan(cell))
        or (isinstance(cell, str) and not cell.strip())
    )


def _numbers(cells: Sequence[object]) -> list[float]:
    numbers = []
    for cell in cells:
        if isinstance(cell, bool) or not isinstance(cell, str | int | float):
            return []
        try:
            number = float(cell)
        except ValueError:
            return []
        # "nan" and "inf" may be words; "1_000" is none to those who write tables.
        if not math.isfinite(number) or (isinstance(cell, str) and "_" in cell):
            return []
        numbers.append(number)
    return numbers


def _are_codes(texts: Sequence[str]) -> bool:
    """Returns whether whole numbers are telephone numbers, postcodes and the like."""
    return all(len(text) >= 8 or (text[:1] == "0" and len(text) > 1) for text in texts)


def _is_run(numbers: Sequence[float]) -> bool:
    """Returns whether numbers count up by 1, as row numbers do."""
    return len(numbers) > 2 and all(b - a == 1 for a, b in pairwise(numbers))


def _holds_lists(cells: Sequence[list[object]]) -> Holds:
    items = [item for cell in cells for item in cell]
    if items and all(isinstance(item, int | float) for item in items):
        is_hot = {len(cell) for cell in cells} == {len(cells[0])} and set(items) == {0, 1}
        if is_hot and len(cells[0]) > 1:
            return "multi-hot"
        return "numbers"
    if not all(isinstance(item, str) for item in items):
        return "objects"
    # Words are many; labels come again and again, and hardly ever twice in one row.
    is_repeated = any(len(set(map(str, cell))) < len(cell) for cell in cells)
    few = len(set(map(str, items))) <= max(2, len(cells) / 2)
    return "labels" if few and not is_repeated else "words"


def _is_set(texts: Sequence[str], separator: str) -> bool:
    """Returns whether cells are labels with a separator between them."""
    sets = [[part.strip() for part in text.split(separator)] for text in texts]
    several = [parts for parts in sets if len(parts) > 1]
    if len(several) < max(2, len(texts) / 50):
        return False
    labels = Counter(part for parts in sets for part in parts)
    is_short = all(0 < len(part.split()) <= 4 for part in labels)
    # Each label comes back, alone or in other company, which pieces of sentences do not.
    comes_back = sum(count > 1 for count in labels.values()) >= 0.8 * len(labels)
    return is_short and comes_back and len(labels) <= max(4, len(texts) / 2)
