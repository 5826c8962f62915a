"""Reports without what a clock says of them: two runs that are equal have these in common."""

from collections.abc import Iterable
from dataclasses import replace

from mtl_core.training.report import Report

TIMES = frozenset({"seconds", "evaluation_seconds", "sentences_per_second"})
"""Fields of a report that a clock fills."""


def timeless(report: Report) -> Report:
    """Returns a report without times."""
    return replace(report, **dict.fromkeys(TIMES, 0.0))  # type: ignore[arg-type]


def all_timeless(reports: Iterable[Report]) -> list[Report]:
    """Returns reports without times."""
    return [timeless(report) for report in reports]
