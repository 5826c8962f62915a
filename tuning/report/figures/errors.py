"""Where the best model errs: what it takes for what."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtl_core.task_errors import LabelTables
from tuning.report.figures.drawing import begun, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MOST = 20
"""Labels in one figure, those with the most errors; names of more would not be legible."""
_NOTHING = "(nothing)"

_Name = str | None


def confusions(tables: LabelTables) -> "Figure":
    """Draws what was given for what is right, as shares of what is right.

    Rows are what is right, columns what was given: the 20 labels with the most errors, and nothing,
    where spans are missed or made up. How often stands in each field.

    Args:
        tables: Errors of a task by label.
    """
    import plotly.graph_objects as go

    right, given, counts = _counts(tables)
    # Of labels that are not shown the rest of the share is left.
    gold = {one.label: one.gold for one in tables.each}
    totals = [gold[one] if one is not None else sum(counts[one, to] for to in given)
              for one in right]  # fmt: skip
    drawn = go.Heatmap(
        z=[
            [100 * counts[one, to] / max(1, total) for to in given]
            for one, total in zip(right, totals, strict=True)
        ],
        text=[[f"{counts[one, to]:,}" if counts[one, to] else "" for to in given] for one in right],
        customdata=[[f"right {_text(one)}, given {_text(to)}" for to in given] for one in right],
        texttemplate="%{text}",
        hovertemplate="%{customdata}: %{text}, %{z:.1f} %<extra></extra>",
        colorscale="Blues",
        zmin=0,
        zmax=100,
        xgap=1,
        ygap=1,
        colorbar={"title": {"text": "%"}},
    )
    figure = begun(drawn, x="given", y="right", height=180 + 24 * len(right))
    figure.update_xaxes(**_names_at(given), tickangle=-45)
    # The first label stands at the top, as in a table.
    figure.update_yaxes(**_names_at(right), autorange="reversed")
    return figure


def _counts(
    tables: LabelTables,
) -> tuple[list[_Name], list[_Name], Counter[tuple[_Name, _Name]]]:
    """Returns the rows, the columns, and (row, column) -> how often."""
    shown = tables.each[:_MOST]
    counts: Counter[tuple[_Name, _Name]] = Counter({(x.label, x.label): x.right for x in shown})
    for pair in tables.confused:
        # Of spans with other borders alone the same type stands on both sides.
        counts[pair.gold, pair.guess] += pair.count
    right: list[_Name] = [one.label for one in shown]
    given = [*right]
    right += [None] if any(pair.gold is None for pair in tables.confused) else []
    given += [None] if any(pair.guess is None for pair in tables.confused) else []
    return right, given, counts


def _names_at(names: Sequence[_Name]) -> dict[str, object]:
    # By number, as two long names may be shown alike.
    return {"tickvals": list(range(len(names))), "ticktext": list(map(_text, names))}


def _text(name: _Name) -> str:
    return _NOTHING if name is None else label(name)
