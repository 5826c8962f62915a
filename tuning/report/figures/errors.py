"""Where the best model errs: what it takes for what."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtl_core.task_errors import LabelTables
from tuning.report.figures.drawing import SCALE, begun, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST = 20
"""Labels in one figure, those with the most errors; names of more would not be legible."""
_MOST_COUNTED = 12
"""Columns up to which a field has room for how often it is."""
_MOST_LETTERS = 22
"""Of a label at an axis; a pointer on a field tells all of it."""

_Field = tuple[str | None, str]
"""A label, or None with what else is wrong; nothing = (None, "")."""
_NOTHING: _Field = (None, "")


def confusions(tables: LabelTables) -> "Figure":
    """Draws what was given for what is right, as shares of what is right.

    Rows are what is right, columns what was given: the 20 labels with the most errors, the same
    label where something else is wrong, such as the borders of a span, and nothing, where spans are
    missed or made up. A field that never is stays empty. How often the others are stands in them
    where there are few.

    Args:
        tables: Errors of a task by label.
    """
    import plotly.graph_objects as go

    right, given, counts = _counts(tables)
    # Of labels that are not shown the rest of the share is left.
    gold: dict[_Field, int] = {(one.label, ""): one.gold for one in tables.each}
    totals = [gold.get(one, sum(counts[one, to] for to in given)) for one in right]
    drawn = go.Heatmap(
        z=[
            # None is a gap: neither white nor black, whatever the page is.
            [100 * counts[one, to] / max(1, total) if counts[one, to] else None for to in given]
            for one, total in zip(right, totals, strict=True)
        ],
        text=[[f"{counts[one, to]:,}" if counts[one, to] else "" for to in given] for one in right],
        customdata=[[f"right {_text(one)}, given {_text(to)}" for to in given] for one in right],
        texttemplate="%{text}" if has_counts(len(given)) else None,
        hoverongaps=False,
        hovertemplate="%{customdata}: %{text}, %{z:.1f} %<extra></extra>",
        colorscale=SCALE,
        zmin=0,
        zmax=100,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": "%"}, "thickness": 14},
    )
    figure = begun(drawn, x="given", y="right", height=200 + 24 * len(right))
    figure.update_xaxes(**_names_at(given), tickangle=-45)
    # The first label stands at the top, as in a table.
    figure.update_yaxes(**_names_at(right), autorange="reversed")
    return figure


def has_counts(columns: int) -> bool:
    """Returns whether how often a field is stands in it, in a figure with so many columns."""
    return columns <= _MOST_COUNTED


def _counts(
    tables: LabelTables,
) -> tuple[list[_Field], list[_Field], Counter[tuple[_Field, _Field]]]:
    """Returns the rows, the columns, and (row, column) -> how often."""
    shown = tables.each[:_MOST]
    right: list[_Field] = [(one.label, "") for one in shown]
    counts = Counter({(row, row): one.right for row, one in zip(right, shown, strict=True)})
    notes: dict[_Field, None] = {}
    for pair in tables.confused:
        to: _Field = (pair.guess, "")
        if pair.gold == pair.guess:
            # On the diagonal stands what is right.
            to = (None, pair.note)
            notes[to] = None
        counts[(pair.gold, ""), to] += pair.count
    given = [*right, *notes]
    right += [_NOTHING] if any(pair.gold is None for pair in tables.confused) else []
    given += [_NOTHING] if any(pair.guess is None for pair in tables.confused) else []
    return right, given, counts


def _names_at(fields: Sequence[_Field]) -> dict[str, object]:
    # By number, as two long names may be shown alike.
    return {
        "tickvals": list(range(len(fields))),
        "ticktext": [_text(one, _MOST_LETTERS) for one in fields],
    }


def _text(field: _Field, most: int = 60) -> str:
    name, note = field
    return label(name, most) if name is not None else f"({label(note or 'nothing', most)})"
