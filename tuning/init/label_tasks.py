"""The tasks that columns of labels and numbers offer, whatever the format they stand in."""

from collections import Counter
from collections.abc import Sequence

from tuning.init.columns import Column
from tuning.init.guess import TaskGuess, labels_of

_FEWEST_FLAGS = 3
"""Columns of 0 and 1 that are taken for the labels of one set."""


def label_task(column: Column) -> TaskGuess | None:
    """Returns the task on a column of labels, sets of labels or numbers; None = it holds others."""
    name, counts = column.name, _without_blanks(column.counts)
    match column.holds:
        case "label":
            other = "; as numbers: kind regression" if column.numbers and not column.names else ""
            seen = labels_of(counts) + other + _alike(counts)
            return TaskGuess(name, {"kind": "classification", "column": name}, seen)
        case "labels":
            seen = f"sets of {labels_of(counts)}{_alike(counts)}"
            return TaskGuess(name, {"kind": "multilabel", "column": name}, seen)
        case "multi-hot":
            width = max(len(cell) for cell in column.filled if isinstance(cell, list))
            names = [f"{name}_{place}" for place in range(1, width + 1)]
            seen = f"a 0 or 1 for each of {width:,} labels, whose names the file does not say"
            return TaskGuess(name, {"kind": "multilabel", "column": name, "names": names}, seen)
        case "number":
            low, high = min(column.numbers), max(column.numbers)
            seen = f"numbers from {low:g} to {high:g}; as classes: kind classification"
            return TaskGuess(name, {"kind": "regression", "column": name}, seen)
        case _:
            return None


def flag_columns(columns: Sequence[Column]) -> list[Column]:
    """Returns the columns that hold one label of a set each, 0 or 1; [] = they are too few."""
    flags = [column for column in columns if column.holds == "label" and _is_flag(column)]
    return flags if len(flags) >= _FEWEST_FLAGS else []


def flags_task(columns: Sequence[Column]) -> TaskGuess:
    """Returns the task on columns that hold one label of a set each."""
    counts = Counter(
        {column.name: column.counts["1"] + column.counts["True"] for column in columns}
    )
    seen = f"a column for each of {labels_of(counts)}; alone: kind classification"
    names = [column.name for column in columns]
    return TaskGuess("labels", {"kind": "multilabel", "column": names}, seen)


def _is_flag(column: Column) -> bool:
    return column.counts.keys() <= {"0", "1"} or column.counts.keys() <= {"True", "False"}


def have_blanks(columns: Sequence[Column]) -> bool:
    """Returns whether labels of a column have blanks around them, which no class means."""
    return any(
        label != label.strip()
        for column in columns
        if column.holds in ("label", "labels")
        for label in column.counts
    )


def _without_blanks(counts: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for label, count in counts.items():
        found[label.strip()] += count
    return found


def _alike(counts: Counter[str]) -> str:
    """Returns what is said of labels that differ in case alone: it may mean something."""
    if len({label.lower() for label in counts}) == len(counts):
        return ""
    return "; some differ in case alone: `lower: true` in `labels` of the data set joins them"
