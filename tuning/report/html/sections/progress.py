"""Figures of the section on what was trained: progress, and learning curves."""

from collections.abc import Iterator

from tuning.report.figures.curves import learning_curves
from tuning.report.figures.progress import best_so_far, status_bars
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn

_MOST = 8
"""Scores whose curves are drawn, the objective first."""


def progress(study: Drawable) -> Iterator[Drawn]:
    """Yields the best score against what was spent, how trials ended, and learning curves."""
    records, goal = study.summary.records, study.summary.result.goal.aim
    within = " of trials within the limits" if goal.limits else ""
    if study.best is None:
        return
    for cost in ("epochs", "time"):
        yield Drawn(
            f"Score against {cost}",
            best_so_far(records, study.order, cost=cost, goal=goal),
            f"The line is the highest score on dev so far{within}; dots are trials at their last "
            "report, crosses those that were stopped early.",
        )
    for score in study.scores[:_MOST]:
        yield Drawn(
            f"Learning curves: {score.key}",
            learning_curves(study.ranked, score, best=study.best),
            "Score on dev after each report of a trial; the best is blue, and the "
            "default orange if it is another.",
        )
    if len(records) > 1:
        yield Drawn(
            "How long trials ran",
            status_bars(records),
            "Trials by the epochs that they began, and how they ended.",
        )
