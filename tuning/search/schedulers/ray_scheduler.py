"""Adapter: makes a scheduler of Ray Tune one of ours."""

from collections.abc import Mapping
from dataclasses import dataclass

from ray.tune.schedulers import TrialScheduler

from mtl_core.training.report import Report
from tuning.search.schedulers.base import Scheduler
from tuning.trainers.decisions import Decision, GoOn, Stop
from tuning.trainers.tune_values import METRIC, TIME

_DECISIONS: Mapping[str, Decision] = {TrialScheduler.CONTINUE: GoOn(), TrialScheduler.STOP: Stop()}


@dataclass(frozen=True, slots=True)
class _Run:
    """All that Ray's schedulers look at of a trial: its id, which outlives a restart."""

    trial_id: str


class RayScheduler(Scheduler):
    """Lets a scheduler of Ray decide that goes on with trials or stops them, and pauses none."""

    def __init__(self, inner: TrialScheduler) -> None:
        """Wraps `inner`, which maximises `METRIC` over `TIME`."""
        self._inner = inner

    def begin(self, run_id: str) -> None:
        """Makes the run known; one that is known already stays as it is in its rungs."""
        # Ray draws a bracket from numpy's global generator here; with one bracket, as `AshaSection`
        # has, the draw decides nothing.
        self._inner.on_trial_add(None, _Run(run_id))

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns what Ray's scheduler decides.

        Raises:
            KeyError: It pauses the run, which is not a decision of ours.
        """
        # At a rung that this run has passed, Ray's halving passes the report over: a report that
        # is replayed and then repeated counts once.
        result = {TIME: report.progress, METRIC: report.combined}
        return _DECISIONS[self._inner.on_trial_result(None, _Run(run_id), result)]

    def forget(self, run_id: str) -> None:
        """Passes on that the run is gone."""
        self._inner.on_trial_error(None, _Run(run_id))

    def describe(self) -> str:
        """Returns what Ray's scheduler says of itself."""
        return str(self._inner.debug_string())
