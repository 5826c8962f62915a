"""Several studies in one figure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuning.records import TrialRecord
from tuning.report.figures.drawing import OBJECTIVE, begun, label
from tuning.report.figures.progress import Cost, Order, moments

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def studies_so_far(
    studies: Mapping[str, tuple[Sequence[TrialRecord], Order]], *, cost: Cost = "epochs"
) -> "Figure":
    """Draws the highest score on dev so far of several studies against what each had spent.

    Args:
        studies: What a study is called -> its trials, and the order of their reports.
        cost: What was spent.
    """
    import plotly.graph_objects as go

    lines = []
    for name, (records, order) in studies.items():
        found = moments(records, order)
        lines.append(
            go.Scatter(
                x=[one.epochs if cost == "epochs" else one.hours for one in found],
                y=[OBJECTIVE.shown(one.best) for one in found],
                mode="lines",
                line={"shape": "hv", "width": 2},
                name=label(name),
                hovertemplate="%{y:.2f} after %{x:.4g} " + cost,
            )
        )
    unit = "epochs of training, all trials" if cost == "epochs" else "hours of trainers, added up"
    return begun(*lines, x=unit, y=OBJECTIVE.title)
