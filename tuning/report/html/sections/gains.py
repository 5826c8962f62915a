"""Figures of the section on what sharing brings."""

from collections.abc import Iterator

from tuning.report.figures.finals import differences
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn
from tuning.study.gains import differences_of


def gains(study: Drawable) -> Iterator[Drawn]:
    """Yields the difference of each task to the same task alone."""
    found = differences_of(study.summary.result.baselines)
    if found:
        yield Drawn(
            "Each task together, minus the task alone",
            differences(list(found.values()), list(found)),
            "Main scores on test with 95 % intervals; grey where an interval holds zero, and "
            "nothing can be told.",
            is_wide=True,
        )
