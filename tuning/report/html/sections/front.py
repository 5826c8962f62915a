"""Figures of the section on the front of a study with several objectives."""

from collections.abc import Iterator
from itertools import combinations

from tuning.report.figures.front import front as front_figure
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn

_MOST = 6
"""Pairs of objectives that are drawn."""


def front(study: Drawable) -> Iterator[Drawn]:
    """Yields the trials over each two of the objectives."""
    goal = study.summary.result.goal
    for first, second in list(combinations(goal.aim.tasks, 2))[:_MOST]:
        yield Drawn(
            f"{first} against {second}",
            front_figure(study.ranked, goal.aim, chosen=goal.chosen, tasks=(first, second)),
            "Main scores on dev; filled dots are the front, the star is the chosen trial, dotted "
            "lines are floors.",
        )
