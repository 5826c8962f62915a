"""Rungs: the marks on a run's way, in epochs, at which runs are compared; who stands on which."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from math import ceil

from mtl_core.training.report import Report
from tuning.search.schedulers.base import Extent

SLACK = 1e-9
"""Share of a level by which progress may fall short of it: 3 * 0.1 epochs are more than 0.3."""


def rung_levels(grace: float, factor: float, max_epochs: float) -> tuple[float, ...]:
    """Returns grace, grace * factor, grace * factor^2 ... below `max_epochs`, where runs end.

    Args:
        grace: The first one, in epochs, above 0.
        factor: Above 1.
        max_epochs: Epochs of the longest run.
    """
    levels = (grace * factor**power for power in count())
    return tuple(takewhile(lambda level: level < max_epochs * (1 - SLACK), levels))


def grace_doubts(grace: float, extent: Extent) -> Iterator[str]:
    """Yields why no trial would end early after a grace period, or not when it is over.

    Args:
        grace: In epochs, above 0.
        extent: Of the study.
    """
    here, ends = f"study.scheduler.grace_epochs is {grace:g}", _epochs(extent.max_epochs)
    every = extent.report_epochs
    first = ceil(grace / every * (1 - SLACK)) * every
    if grace >= extent.max_epochs:
        yield f"{here}, and trials run {ends} (run.training.epochs): no trial ends early"
    elif first >= extent.max_epochs * (1 - SLACK):
        yield (
            f"{here}, and trials of {ends} (run.training.epochs) make no report between that and "
            f"their end (run.training.reports_per_epoch): no trial ends early"
        )
    elif grace < every * (1 - SLACK):
        yield (
            f"{here}, and the first report of a trial comes after {_epochs(every)} "
            f"(run.training.reports_per_epoch): none ends before"
        )


def _epochs(number: float) -> str:
    return f"{number:g} epoch{'' if number == 1 else 's'}"


class Rungs:
    """Levels of progress, and the best report with which each run stands on those it reached.

    A run stands on a rung with its best report up to there, since a run is worth its best report
    and not its last: of those on a sample of dev where the report that reaches the rung stands on
    one, as it does for all runs there, else of those on all of dev.

    A report that passes several rungs at once stands on the highest of them: on the lower ones it
    would be compared with runs that had trained for less. Repeated reports, after a restart for
    instance, change nothing. What stands on a rung does not depend on the order in which runs came.
    """

    def __init__(self, levels: tuple[float, ...]) -> None:
        """Makes empty rungs.

        Args:
            levels: In epochs, rising.
        """
        self.levels = levels
        self._standing: tuple[dict[str, Report], ...] = tuple({} for _ in levels)
        self._progress: dict[str, float] = {}
        # (run id, whether on a sample of dev) -> the best of such reports.
        self._best: dict[tuple[str, bool], Report] = {}

    def __len__(self) -> int:
        """Returns the number of rungs."""
        return len(self.levels)

    def __getitem__(self, rung: int) -> Mapping[str, Report]:
        """Returns who stands on a rung: run id -> its best report up to there."""
        return self._standing[rung]

    def is_new(self, run_id: str, report: Report) -> bool:
        """Returns whether a report says that its run has come further than it was known to be."""
        return report.progress > self._progress.get(run_id, 0.0)

    def place(self, run_id: str, report: Report) -> int | None:
        """Takes note of a report; returns the rung, from 0, that the run stands on by it.

        None when it reaches no rung on which the run does not stand already.
        """
        if not self.is_new(run_id, report):
            return None
        self._progress[run_id] = report.progress
        rung = bisect_right(self.levels, report.progress * (1 + SLACK)) - 1
        kind = (run_id, report.is_sample)
        best = self._best.get(kind)
        # The first of equals stays, as everywhere.
        if best is None or report.combined > best.combined:
            best = self._best[kind] = report
        if rung < 0 or run_id in self._standing[rung]:
            return None
        self._standing[rung][run_id] = best
        return rung

    def describe(self) -> str:
        """Returns how many runs stand on each rung."""
        pairs = zip(self.levels, self._standing, strict=True)
        counts = [f"{len(standing)} runs at {level:g} epochs" for level, standing in pairs]
        return ", ".join(counts) or "no rungs"
