"""The scheduler of a study as Ray Tune sees it: after every report, `CONTINUE` or `STOP`."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from mtl_core.training.report import Report
from tuning.records import DEFAULT_ID, TrialRecord
from tuning.search.schedulers.base import Scheduler
from tuning.trainers.decisions import Decision, GoOn, Pause, Stop
from tuning.trainers.tune_values import METRIC, TrialConfig, TrialFailure, TrialResult


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray carries no types
    """Lets a scheduler of ours decide, with what a study needs on top.

    Trial 0, the study file's own recipe, is the yardstick and always runs to its end. Reports that
    were judged before a restart are recorded but not judged again. A report that holds no finite
    number is passed over, since it would spoil the cutoffs of all other trials.

    Trials that wait begin in the order of the searcher. The scheduler knows them by their run ids,
    not by Tune's: a report that was replayed and is then repeated by the resumed trial counts once.
    """

    def __init__(self, inner: Scheduler) -> None:
        """Lets `inner` decide."""
        super().__init__()
        self._metric = METRIC
        self._inner = inner

    def replay(self, records: Iterable[TrialRecord]) -> None:
        """Records what trials reported before a restart, unfinished ones included."""
        for record in records:
            self._inner.begin(record.id)
            for report in record.reports:
                self._decide(record.id, report)

    def _decide(self, run_id: str, report: Report) -> Decision:
        # A rung's cutoff is a percentile of the numbers in it: an infinite one would move it for
        # good.
        if not math.isfinite(report.combined):
            return GoOn()
        decision = self._inner.decide(run_id, report)
        if run_id == DEFAULT_ID and not isinstance(decision, GoOn):
            # It goes on whatever was decided: nobody is to wait for it, or to have it go on.
            self._inner.forget(run_id)
            return GoOn()
        return decision

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accepts what TuneConfig says if it is what the study maximises anyway."""
        del spec
        return metric in (None, METRIC) and mode in (None, "max")

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Makes the trial known."""
        self._inner.begin(_id_of(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Returns `CONTINUE` or `STOP`."""
        config, found = TrialConfig.of(trial.config), TrialResult.of(result)
        if found is None:
            return str(TrialScheduler.CONTINUE)
        # Also what is not to be judged has to be recorded: others are measured by it.
        decision = self._decide(config.spec.id, found.report)
        # Epochs count from 1, so the n-th report of a trial has the progress n.
        is_decided = found.report.progress <= config.decided
        # After its last report a trial ends by itself: there is nothing to stop.
        if config.spec.id == DEFAULT_ID or is_decided or found.is_last:
            return str(TrialScheduler.CONTINUE)
        if isinstance(decision, Pause):
            raise NotImplementedError("no run can pause yet")
        is_stopped = isinstance(decision, Stop)
        return str(TrialScheduler.STOP if is_stopped else TrialScheduler.CONTINUE)

    def on_trial_complete(
        self, tune_controller: Any, trial: Any, result: Mapping[str, Any]
    ) -> None:
        """Records the last result, which Tune passes only here when the trial says it is done."""
        if TrialFailure.of(result) is not None:
            self._inner.forget(_id_of(trial))
        # After STOP this comes with a report that was judged already, which its rung passes over.
        if (found := TrialResult.of(result)) is not None:
            self._decide(_id_of(trial), found.report)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Does nothing: Tune cannot go on with the trial, and the study ends (see `Logbook`)."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Passes on that the trial was taken away before it ran."""
        self._inner.forget(_id_of(trial))

    def debug_string(self) -> str:
        """Returns where the scheduler stands."""
        return self._inner.describe()


def _id_of(trial: Any) -> str:
    return TrialConfig.of(trial.config).spec.id
