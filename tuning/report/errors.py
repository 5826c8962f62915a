"""The part of a report on where the best model errs: labels, what is taken for what, worst rows."""

import math
from collections.abc import Callable, Sequence

from mtl_core.markdown import code, plain
from mtl_core.task_errors import (
    Confused,
    Errors,
    LabelErrors,
    LabelTables,
    RangeErrors,
    TaskErrors,
    WrongRow,
)
from tuning.report.markdown import percent, table

MOST_ROWS, MOST_LABELS = 20, 10
"""Rows of the tables of a task: of its worst rows, and of its labels."""


AS_READ = "Texts are as the model read them."
"""Of texts that are made of sub-words again."""


def errors_section(errors: Errors, *, worst: int = MOST_ROWS) -> list[str]:
    """Returns the parts of the section, a heading for each task; [] where nothing is known.

    Args:
        errors: Where the model errs on dev.
        worst: How many of the worst rows are shown of each task.
    """
    if not errors:
        return []
    return [
        "## Errors of the best model",
        "Of the model in best/, on dev, by which it was chosen, and never on test. " + AS_READ,
        *error_parts(errors, worst=worst),
    ]


def error_parts(errors: Errors, *, worst: int = MOST_ROWS) -> list[str]:
    """Returns the errors of each task as Markdown; see `errors_section`."""
    parts = []
    for task, found in errors.items():
        parts += [f"### {plain(task)}", _how_many(found), *_tables(found, worst)]
    return parts


def _how_many(found: TaskErrors) -> str:
    if found.wrong is None or not found.rows:
        return f"{found.rows:,} {found.unit}."
    share = 100 * found.wrong / found.rows
    return f"{found.wrong:,} of {found.rows:,} {found.unit} are not right ({share:.1f} %)."


def _tables(found: TaskErrors, worst: int) -> list[str]:
    parts = [] if found.labels is None else _label_parts(found.labels)
    if found.ranges:
        header = ["right number", "rows", "mean of guess - right", "mean distance"]
        parts.append(table(header, map(_range_cells, found.ranges)))
    if shown := found.worst[:worst]:
        parts += [f"The worst, by {found.measure}:", _worst_table(shown, found.measure)]
    return parts


def _label_parts(tables: LabelTables) -> list[str]:
    each = [one for one in tables.each if one.wrong]
    parts = []
    if each:
        header = [tables.unit, "there", "given", "both", "precision, %", "recall, %"]
        parts += _cut(table(header, map(_label_cells, each[:MOST_LABELS])), len(each))
    if tables.confused:
        header = ["right", "given", "times", "what else is wrong"]
        lines = map(_confused_cells, tables.confused[:MOST_LABELS])
        has_notes = any(one.note for one in tables.confused[:MOST_LABELS])
        columns = len(header) if has_notes else len(header) - 1
        shown = table(header[:columns], (cells[:columns] for cells in lines))
        parts += _cut(shown, tables.num_confused)
    return parts


def _cut(shown: str, count: int) -> list[str]:
    more = count - MOST_LABELS
    return [shown, f"And {more:,} more."] if more > 0 else [shown]


def _label_cells(one: LabelErrors) -> list[str]:
    shares = (percent(None if math.isnan(x) else x) for x in (one.precision, one.recall))
    return [code(one.label), *(f"{n:,}" for n in (one.gold, one.guessed, one.right)), *shares]


def _confused_cells(one: Confused) -> list[str]:
    names = ("nothing" if name is None else code(name) for name in (one.gold, one.guess))
    return [*names, f"{one.count:,}", plain(one.note)]


def _range_cells(one: RangeErrors) -> list[str]:
    low = "" if one.low is None else f"from {one.low:.4g}"
    high = "" if one.high is None else f"to {one.high:.4g}"
    # "z" turns a rounded -0 into +0.
    numbers = f"{one.mean:+z.4g}", f"{one.mean_absolute:.4g}"
    return [f"{low} {high}".strip() or "all", f"{one.rows:,}", *numbers]


def _worst_table(rows: Sequence[WrongRow], measure: str) -> str:
    """Returns a table without the columns that would be empty."""
    columns: dict[str, Callable[[WrongRow], str]] = {
        "text": lambda row: row.text,
        "right": lambda row: row.gold,
        "given": lambda row: row.guess,
        "data set": lambda row: row.dataset,
    }
    several = len({row.dataset for row in rows}) > 1
    used = {
        name: of
        for name, of in columns.items()
        if (several if name == "data set" else any(map(of, rows)))
    }
    header = [*used, "row", measure]
    cells = (
        [*(_text_cell(of(row)) for of in used.values()), str(row.example), f"{row.value:.4g}"]
        for row in rows
    )
    return table(header, cells)


def _text_cell(text: str) -> str:
    return code(text) if text else "-"
