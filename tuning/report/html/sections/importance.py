"""Figures of the section on the importance of parameters."""

from collections.abc import Iterator

from tuning.report.figures.importance import importance_bars
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn


def importance(study: Drawable) -> Iterator[Drawn]:
    """Yields bars for the objective and for each task."""
    for one in study.summary.importances:
        yield Drawn(
            f"What mattered for {one.score}",
            importance_bars(one),
            "Share in reaching the best tenth of the scores; whiskers are two standard deviations "
            "over trials that are drawn anew.",
        )
