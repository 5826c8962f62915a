"""Figures of the section on how tasks pull on each other."""

from collections.abc import Iterator

from tuning.report.figures.sharing import affinity_map, conflict_map
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn
from tuning.study.sharing import sharing_of


def sharing(study: Drawable) -> Iterator[Drawn]:
    """Yields the affinities of the tasks, and the conflicts of their gradients."""
    found = sharing_of(study.summary.records)
    if found is None:
        return
    width = 160 + 90 * len(found.tasks)
    if found.affinities:
        yield Drawn(
            "Affinity of the tasks",
            affinity_map(found),
            "What a step on the task of a row takes off the loss of the task of a column, in "
            "percent of that loss; red = the loss grows.",
            min_width=width,
        )
    yield Drawn(
        "Conflicts of the gradients",
        conflict_map(found),
        "Cosines of the gradients of two tasks on what they share; red = they pull apart.",
        min_width=width,
    )
