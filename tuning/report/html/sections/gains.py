"""Figures of the section on what sharing brings."""

from collections.abc import Iterator

from tuning.report.figures.finals import differences
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn
from tuning.study.gains import differences_of


def gains(study: Drawable) -> Iterator[Drawn]:
    """Yields the difference of each task to the same task alone."""
    found = list(differences_of(study.summary.result.baselines).values())
    if found:
        yield Drawn(
            "Each task together, minus the task alone",
            differences(found),
            "Main scores on test with 95 % intervals; grey where an interval holds zero, and "
            "nothing can be told.",
            min_width=480,
            is_wide=True,
        )
