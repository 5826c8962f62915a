"""How the tasks pull on what they share, as heat maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.report.figures.drawing import AROUND_ZERO, begun, label
from tuning.statistics.estimates import Estimate
from tuning.study.sharing import Sharing

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, slots=True)
class Unit:
    """What numbers are drawn in.

    Attributes:
        factor: What they are multiplied by.
        name: Stands behind them.
    """

    factor: float
    name: str

    def told(self, estimate: Estimate | None) -> str:
        """Returns a number with its interval; nothing where there is none."""
        if estimate is None:
            return ""
        # Of one run there is no interval.
        interval = f" ({self.text(estimate.low)} to {self.text(estimate.high)}, 95 % interval)"
        return f"{self.text(estimate.mean)}{self.name}{interval if estimate.count > 1 else ''}"

    def text(self, value: float) -> str:
        """Returns a value as it is drawn, with its sign."""
        return f"{self.factor * value:+z.2f}"


def affinity_map(sharing: Sharing) -> "Figure":
    """Draws what a step on each task takes off the loss of each, in percent of the loss.

    The colours span what tasks do to each other: a task's own step takes off far more, and is as
    blue as they get.

    Args:
        sharing: What was seen; its affinities.
    """
    others = [
        abs(100 * one.mean)
        for (first, second), one in sharing.affinities.items()
        if first != second
    ]
    cells = [
        [sharing.affinities.get((first, second)) for second in sharing.tasks]
        for first in sharing.tasks
    ]
    figure = _heat_map(cells, sharing.tasks, Unit(100, " %"), most=max(others, default=0.0))
    figure.update_xaxes(title_text="loss of")
    figure.update_yaxes(title_text="a step on")
    return figure


def conflict_map(sharing: Sharing) -> "Figure":
    """Draws the cosines of the gradients of each two tasks, in [-1, 1]; below 0 is a conflict.

    Args:
        sharing: What was seen; its cosines.
    """
    both: Mapping[tuple[str, str], Estimate] = {
        pair: one
        for (first, second), one in sharing.cosines.items()
        for pair in ((first, second), (second, first))
    }
    # The diagonal stays empty: a gradient and itself are no finding.
    cells = [[both.get((first, second)) for second in sharing.tasks] for first in sharing.tasks]
    return _heat_map(cells, sharing.tasks, Unit(1, ""), most=1.0)


def _heat_map(
    cells: Sequence[Sequence[Estimate | None]], tasks: Sequence[str], unit: Unit, *, most: float
) -> "Figure":
    """Draws a number in each cell.

    Args:
        cells: What is drawn, (tasks from the top, tasks from the left); None = an empty cell.
        tasks: Their names.
        unit: What the numbers are drawn in.
        most: The largest number, as it is drawn, that has a colour of its own.
    """
    import plotly.graph_objects as go

    span = most or 1.0
    drawn = go.Heatmap(
        # None is a gap; a number that is not finite would be none in JSON.
        z=[[None if one is None else unit.factor * one.mean for one in row] for row in cells],
        zmin=-span,
        zmax=span,
        colorscale=AROUND_ZERO,
        xgap=2,
        ygap=2,
        text=[["" if one is None else unit.text(one.mean) for one in row] for row in cells],
        texttemplate="%{text}",
        customdata=[[unit.told(one) for one in row] for row in cells],
        hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
        hoverongaps=False,
        colorbar={"ticksuffix": unit.name},
    )
    figure = begun(drawn, height=160 + 44 * len(tasks))
    # By number: of names that are cut two may be the same.
    names = [label(task) for task in tasks]
    ticks = {"tickvals": list(range(len(tasks))), "ticktext": names, "showgrid": False}
    figure.update_xaxes(**ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure
