"""Figures of the section on where the best model errs."""

from collections.abc import Iterator

from tuning.report.figures.errors import confusions
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn


def errors(study: Drawable) -> Iterator[Drawn]:
    """Yields what is taken for what, for each task with labels that are."""
    for task, found in study.errors.items():
        tables = found.labels
        if tables is not None and tables.confused and len(tables.each) > 1:
            yield Drawn(
                f"What {task} takes for what",
                confusions(tables),
                f"By {tables.unit}: rows are what is right, columns what was given; the number is "
                "how often, the colour its share of all that is right. What stands beside the "
                "diagonal is wrong. At most 20 are shown, those with the most errors.",
                min_width=420,
            )
