"""Several studies in one figure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuning.records import TrialRecord
from tuning.report.figures.drawing import OBJECTIVE, begun, label
from tuning.report.figures.progress import Cost, Order, best_line, moments, unit_of

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
    found = {name: moments(*study) for name, study in studies.items()}
    scale, unit = unit_of([one for some in found.values() for one in some], cost)
    lines = [best_line(some, cost, scale, label(name)) for name, some in found.items()]
    return begun(*lines, x=unit, y=OBJECTIVE.title)
