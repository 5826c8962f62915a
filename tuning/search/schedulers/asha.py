"""Asynchronous successive halving, in the form that stops runs and the one that pauses them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.training.report import Report
from tuning.search.schedulers.base import Extent, Scheduler, SchedulerBase, Values, combined_alone
from tuning.search.schedulers.promotion import Promotion, promotion_doubts
from tuning.search.schedulers.rungs import Rungs, grace_doubts, rung_levels
from tuning.trainers.decisions import Decision, GoOn, Pause, Stop

Form = Literal["stopping", "promoting"]


class AshaSection(SchedulerBase):
    """Asynchronous successive halving: the worse trials end early (Li et al. 2020).

    https://arxiv.org/abs/1810.05934: at every rung a trial goes on if it belongs to the best
    1 / reduction_factor of those that have come this far.
    """

    kind: Literal["asha"] = "asha"
    form: Form = "stopping"
    """`stopping` = at a rung a trial goes on at once, or ends for good; `promoting` = it pauses
    there, and goes on when it is among the best that came there, also much later."""
    grace_epochs: Annotated[float, Field(gt=0)] = 1.0
    """Epochs that every trial runs; the first rung."""
    reduction_factor: Annotated[float, Field(ge=1.1)] = 3.0
    """Rungs lie this factor apart, and about one trial in so many passes each."""

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`."""
        del values
        levels = rung_levels(self.grace_epochs, self.reduction_factor, max_epochs)
        return asha(self.form, levels, self.reduction_factor)

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields why no trial would end early, or none go on."""
        yield from grace_doubts(self.grace_epochs, extent)
        if extent.objectives > 1:
            yield (
                "study.scheduler.kind is asha, which compares the mean of the objectives: trials "
                "that are good in one of them alone end early; pareto_asha compares all"
            )
        if self.form == "promoting":
            yield from promotion_doubts(self.reduction_factor, extent)


def asha(form: Form, levels: tuple[float, ...], factor: float) -> Scheduler:
    """Returns successive halving of a form on these rungs, in epochs."""
    return StoppingAsha(levels, factor) if form == "stopping" else PromotingAsha(levels, factor)


class StoppingAsha(Scheduler):
    """Stops a run at a rung unless it is among the best 1 / factor of those that came before.

    As Ray Tune's AsyncHyperBandScheduler with one bracket, and as section 3.3 of Li et al. (2020)
    leaves open: the first run of a rung goes on, and nobody waits. A decision hangs on who came
    before; after a restart, those that follow are the same in whatever order reports are replayed.
    """

    def __init__(self, levels: tuple[float, ...], factor: float) -> None:
        """Starts without any run; see `rung_levels`."""
        self._rungs = Rungs(levels)
        self._percentile = 100 * (1 - 1 / factor)

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Stop` for a run that comes to a rung and is worse than the cutoff there."""
        rung = self._rungs.place(run_id, report)
        if rung is None:
            return GoOn()
        standing = self._rungs[rung]
        others = [one.combined for other, one in standing.items() if other != run_id]
        is_worse = bool(others) and standing[run_id].combined < self._cutoff(others)
        return Stop() if is_worse else GoOn()

    def describe(self) -> str:
        """Returns how many runs stand on each rung."""
        return self._rungs.describe()

    def _cutoff(self, values: list[float]) -> float:
        # Here, as in all of schedulers: study files are also read where no study is run.
        import numpy as np

        return float(np.percentile(values, self._percentile))


class PromotingAsha(Scheduler):
    """Pauses runs at every rung, and lets the best 1 / factor of a rung go on; see `Promotion`.

    Unlike the stopping form it takes no risk on the first runs of a rung, and takes up a run again
    that others have made good by being worse.
    """

    def __init__(self, levels: tuple[float, ...], factor: float) -> None:
        """Starts without any run; see `rung_levels`."""
        self._promotion = Promotion(levels, factor)

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Pause` for a run that comes to a rung."""
        return GoOn() if self._promotion.place(run_id, report) is None else Pause()

    def next_paused(self) -> str | None:
        """Returns the paused run that goes on next: of the highest rung where one may, the best."""
        return self._promotion.next()

    def last_paused(self) -> str | None:
        """Returns the best run of the highest rung of which the best is paused."""
        return self._promotion.last()

    def forget(self, run_id: str) -> None:
        """Lets a run wait no longer."""
        self._promotion.drop(run_id)

    def describe(self) -> str:
        """Returns how many runs stand on each rung, and how many wait."""
        return f"{self._promotion.rungs.describe()}; {len(self._promotion.waiting)} wait"
