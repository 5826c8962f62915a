"""Figures of the section on where the best model errs."""

from collections.abc import Iterator

from tuning.report.figures.errors import confusions, has_counts
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn


def errors(study: Drawable) -> Iterator[Drawn]:
    """Yields what is taken for what, for each task with labels that are."""
    for task, found in study.errors.items():
        tables = found.labels
        if tables is not None and tables.confused and len(tables.each) > 1:
            figure = confusions(tables)
            columns = len(figure.layout.xaxis.tickvals)
            counts = "the number is how often, " if has_counts(columns) else ""
            yield Drawn(
                f"What {task} takes for what",
                figure,
                f"By {tables.unit}: rows are what is right, columns what was given; {counts}the "
                "colour is the share of all that is right. What stands beside the diagonal is "
                "wrong; an empty field never was. At most 20 are shown, those with the most "
                "errors. The tables above have the most frequent.",
                min_width=240 + 26 * columns,
                is_wide=not has_counts(columns),
            )
