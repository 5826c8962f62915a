"""Counts errors label by label, finds the worst rows, and joins what several data sets show."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest

from mtl_core.printable import shortened
from mtl_core.task_errors import (
    Confused,
    LabelErrors,
    LabelTables,
    RangeErrors,
    TaskErrors,
    WrongRow,
)

MOST_LABELS, MOST_CONFUSED, MOST_ROWS = 100, 100, 20
"""Entries of each table that are kept, those with the most errors."""
_LONGEST_TEXT, _LONGEST_NAME = 400, 100
"""Characters of a text, and of the name of a label; of longer ones the middle is left out."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts labels one by one, and makes the tables of them.

    Attributes:
        gold: Label -> how often it is right.
        guessed: Label -> how often it was given.
        right: Label -> how often it was given where it is right.
        confused: (right label, given label, note) -> how often.
    """

    gold: Counter[str] = field(default_factory=Counter)
    guessed: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    confused: Counter[tuple[str | None, str | None, str]] = field(default_factory=Counter)

    def count(self, gold: str | None, guess: str | None, note: str = "", *, times: int = 1) -> None:
        """Counts what was given for what is right; None = nothing, a note = it is wrong."""
        if gold is not None:
            self.gold[gold] += times
        if guess is not None:
            self.guessed[guess] += times
        if gold == guess and gold is not None and not note:
            self.right[gold] += times
        else:
            self.confused[gold, guess, note] += times

    def tables(self, unit: str = "label") -> LabelTables:
        """Returns the tables, whole, with what has the most errors first."""
        each = [
            LabelErrors(label, self.gold[label], self.guessed[label], self.right[label])
            for label in {**self.gold, **self.guessed}
        ]
        confused = [
            Confused(gold, guess, count, note)
            for (gold, guess, note), count in self.confused.items()
        ]
        each.sort(key=lambda one: (-one.wrong, one.label))
        confused.sort(key=lambda one: (-one.count, one.gold or "", one.guess or "", one.note))
        return LabelTables(unit, tuple(each), tuple(confused), len(each), len(confused))


def worst_rows(
    values: Mapping[int, float], show: Callable[[int], WrongRow]
) -> tuple[WrongRow, ...]:
    """Returns the worst of some rows, the worst first; of equal ones the first.

    Args:
        values: Row -> how wrong it is; NaN = worse than any.
        show: Makes what is shown of a row, whose `value` is set here.
    """
    worst = nsmallest(MOST_ROWS, values, key=lambda row: (_order(values[row]), row))
    return tuple(replace(show(row), value=float(values[row])) for row in worst)


def _order(value: float) -> float:
    # NaN is neither above nor below any number, so that a sort would leave it wherever it stood.
    return -math.inf if math.isnan(value) else -value


def joined(parts: Mapping[str, TaskErrors]) -> TaskErrors:
    """Returns the errors over the data sets of a task, with the largest of each table.

    Args:
        parts: Data set name -> errors on it, at least one; tables in any order and of any length.
    """
    first = next(iter(parts.values()))
    every = list(parts.values())
    rows = (replace(row, dataset=name) for name, part in parts.items() for row in part.worst)
    known = [part.wrong for part in every if part.wrong is not None]
    return replace(
        first,
        rows=sum(part.rows for part in every),
        wrong=sum(known) if known else None,
        worst=tuple(map(_bounded_row, nsmallest(MOST_ROWS, rows, key=lambda x: _order(x.value)))),
        labels=_joined_labels([one.labels for one in every if one.labels is not None]),
        ranges=_joined_ranges([one for part in every for one in part.ranges]),
    )


def _joined_labels(parts: Sequence[LabelTables]) -> LabelTables | None:
    """Returns tables of all labels together, cut to those with the most errors."""
    if not parts:
        return None
    # Added up while whole and cut last: what is rare in each data set may be frequent in all.
    tally = Tally()
    for one in (label for part in parts for label in part.each):
        tally.gold[one.label] += one.gold
        tally.guessed[one.label] += one.guessed
        tally.right[one.label] += one.right
    for pair in (pair for part in parts for pair in part.confused):
        tally.confused[pair.gold, pair.guess, pair.note] += pair.count
    whole = tally.tables(parts[0].unit)
    return replace(
        whole,
        each=tuple(replace(one, label=_name(one.label)) for one in whole.each[:MOST_LABELS]),
        confused=tuple(
            replace(one, gold=one.gold and _name(one.gold), guess=one.guess and _name(one.guess))
            for one in whole.confused[:MOST_CONFUSED]
        ),
    )


def _joined_ranges(ranges: Collection[RangeErrors]) -> tuple[RangeErrors, ...]:
    """Returns one of each range, of those that have the same borders."""
    found: dict[tuple[float | None, float | None], list[RangeErrors]] = {}
    for one in ranges:
        found.setdefault((one.low, one.high), []).append(one)
    every = sorted(found.items(), key=lambda item: _begin(item[0][0]))
    return tuple(_mean_range(*borders, some) for borders, some in every)


def _mean_range(
    low: float | None, high: float | None, ranges: Collection[RangeErrors]
) -> RangeErrors:
    # Means of means, weighted by rows: those of all rows together.
    rows = sum(one.rows for one in ranges)
    mean = sum(one.rows * one.mean for one in ranges) / rows
    mean_absolute = sum(one.rows * one.mean_absolute for one in ranges) / rows
    return RangeErrors(low, high, rows, mean, mean_absolute)


def _begin(low: float | None) -> float:
    return -math.inf if low is None else low


def _bounded_row(row: WrongRow) -> WrongRow:
    text, gold, guess = (_whole(shortened(one, _LONGEST_TEXT)) for one in _texts(row))
    return replace(row, text=text, gold=gold, guess=guess)


def _texts(row: WrongRow) -> Iterable[str]:
    return row.text, row.gold, row.guess


def _name(label: str) -> str:
    return _whole(shortened(label, _LONGEST_NAME))


def _whole(text: str) -> str:
    """Returns a text without halves of characters, which no file takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
