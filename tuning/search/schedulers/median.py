"""The median stopping rule: a run ends that never was as good as others were on average."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from statistics import median
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core.training.report import Report
from tuning.search.schedulers.base import Extent, Scheduler, SchedulerBase, Values, combined_alone
from tuning.search.schedulers.rungs import SLACK, grace_doubts
from tuning.trainers.decisions import Decision, GoOn, Stop


class MedianSection(SchedulerBase):
    """The median stopping rule (Golovin et al. 2017, section 3.2.2).

    https://research.google.com/pubs/pub46180.html: after every report a trial ends whose best value
    so far is below the median of what the others had on average up to there.
    """

    kind: Literal["median"] = "median"
    grace_epochs: Annotated[float, Field(ge=0)] = 1.0
    """Epochs that every trial runs; averages begin here as well."""
    min_samples: PositiveInt = 3
    """How many others must have come as far before a trial ends."""

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study, which needs no number of epochs."""
        del max_epochs, values
        return MedianStopping(self.grace_epochs, self.min_samples)

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields why no trial would end early."""
        if self.grace_epochs > 0:
            yield from grace_doubts(self.grace_epochs, extent)
        if self.min_samples >= extent.trials:
            yield (
                f"study.scheduler.min_samples is {self.min_samples}, and study.trials is "
                f"{extent.trials}: no trial ends early, since none has so many others"
            )


class MedianStopping(Scheduler):
    """Stops a run whose best report is below the median of the averages of others.

    As Ray Tune's MedianStoppingRule with `hard_stop`: it looks at all others that have come as far,
    where the paper takes those that are complete. A decision hangs on who has come as far by then;
    after a restart, those that follow are the same in whatever order reports are replayed. Scores
    on a sample of dev are compared with such scores alone.
    """

    def __init__(self, grace: float, min_samples: int) -> None:
        """Starts without any run.

        Args:
            grace: In epochs; nothing ends before, and averages begin there.
            min_samples: How many others must have come as far.
        """
        self._grace = grace * (1 - SLACK)
        self._min_samples = min_samples
        self._curves: dict[bool, dict[str, _Curve]] = {False: {}, True: {}}
        """Whether on a sample of dev -> run id -> its curve."""

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Stop` for a run that never was as good as the middle one was on average."""
        curves = self._curves[report.is_sample]
        curve = curves.setdefault(run_id, _Curve())
        if not curve.add(report, from_here=report.progress >= self._grace):
            return GoOn()
        others = (one for other, one in curves.items() if other != run_id)
        averages = [
            average for one in others if (average := one.average_at(report.progress)) is not None
        ]
        if report.progress < self._grace or len(averages) < self._min_samples:
            return GoOn()
        return Stop() if curve.best < median(averages) else GoOn()

    def describe(self) -> str:
        """Returns how many runs it compares."""
        return f"{len(self._curves[False].keys() | self._curves[True].keys())} runs"


class _Curve:
    """What a run has reported, as far as the rule asks for it."""

    def __init__(self) -> None:
        self.best = -math.inf
        self._progress: list[float] = []
        # The mean from the grace period up to each report; None before.
        self._averages: list[float | None] = []
        self._sum, self._count = 0.0, 0

    def add(self, report: Report, *, from_here: bool) -> bool:
        """Takes note of a report; returns whether it is a new one.

        Args:
            report: What comes next.
            from_here: Whether it counts for the average.
        """
        if self._progress and report.progress <= self._progress[-1]:
            return False
        self.best = max(self.best, report.combined)
        if from_here:
            self._sum, self._count = self._sum + report.combined, self._count + 1
        self._progress.append(report.progress)
        self._averages.append(self._sum / self._count if self._count else None)
        return True

    def average_at(self, progress: float) -> float | None:
        """Returns the mean up to a progress; None when the run has not come so far, or has none."""
        if self._progress[-1] < progress:
            return None
        # What was reported last by then.
        index = bisect_right(self._progress, progress) - 1
        return self._averages[index] if index >= 0 else None
