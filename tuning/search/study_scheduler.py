"""The scheduler of a study as Ray Tune sees it: after every report, `CONTINUE` or `STOP`."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from mtl_core.training.report import Report
from tuning.records import DEFAULT_ID, TrialRecord
from tuning.search.limits import Limits
from tuning.search.schedulers.base import Scheduler, TakeOver
from tuning.trainers.decisions import Decision, GoOn, Pause, Stop
from tuning.trainers.tune_values import METRIC, TrialConfig, TrialFailure, TrialResult


class StudyScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray carries no types
    """Lets a scheduler of ours decide, with what a study needs on top.

    Trial 0, the study file's own recipe, is the yardstick and runs to its end as long as the study
    may spend anything. It pauses only where every run goes on in time (`Scheduler.waits_for_all`).
    A report that holds no finite number is passed over, since it would spoil the cutoffs of all
    other trials. One that comes again is not judged again.

    Trials that wait begin in the order of the searcher. The scheduler knows them by their run ids,
    not by Tune's. To Tune a run that pauses has ended; when it goes on it is another trial, with
    the same run id, which `OptunaSearcher.suggest` names. So a pause keeps nothing but a
    checkpoint, and a killed driver finds paused runs as it finds all others.
    """

    def __init__(self, inner: Scheduler, limits: Limits | None = None) -> None:
        """Lets `inner` decide.

        Args:
            inner: Decides on runs.
            limits: Of the search; once they are spent every run ends with its next report.
        """
        super().__init__()
        self.limits = limits or Limits()
        self._metric = METRIC
        self._inner = inner
        self._judged: dict[str, int] = {}
        """Run id -> number of its last report that was judged."""
        self._standing: dict[str, Decision] = {}
        """Run id -> what was decided last."""

    def replay(
        self,
        records: Iterable[TrialRecord],
        order: Iterable[tuple[str, int]] = (),
        *,
        epochs_of: Callable[[TrialRecord], float] = lambda record: math.inf,
    ) -> None:
        """Judges what trials reported before a restart, unfinished ones included.

        Args:
            records: The trials.
            order: (run id, number of a report) in the order in which they were judged, as the
                journal has it. Reports that are missing there are judged last, by their progress.
            epochs_of: Returns the epochs of a trial; asked for those that have not ended.
        """
        known = {record.id: record for record in records}
        for run_id in known:
            self._inner.begin(run_id)
        for run_id, report in _in_order(known.values(), order):
            record = known[run_id]
            is_last = not record.has_ended and report.progress >= epochs_of(record)
            self._judge(run_id, report, is_last=is_last)
        for record in known.values():
            if record.has_ended:
                self._inner.forget(record.id)

    def decision_on(self, run_id: str) -> Decision:
        """Returns what was decided on a run after its last report."""
        return self._standing.get(run_id, GoOn())

    def next_paused(self) -> str | None:
        """Returns the paused run that goes on now; see `Scheduler.next_paused`."""
        return self._going_on(self._inner.next_paused())

    def last_paused(self) -> str | None:
        """Returns the paused run that goes on at the end; see `Scheduler.last_paused`."""
        return self._going_on(self._inner.last_paused())

    def _going_on(self, run_id: str | None) -> str | None:
        if run_id is not None:
            self._standing[run_id] = GoOn()
        return run_id

    def take_over(self, run_id: str) -> TakeOver | None:
        """Returns from whose checkpoint a run goes on; see `Scheduler.take_over`."""
        return self._inner.take_over(run_id)

    @property
    def waits_for_all(self) -> bool:
        """Whether paused runs wait until all points are drawn; see `Scheduler.waits_for_all`."""
        return self._inner.waits_for_all

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accepts what TuneConfig says if it is what the study maximises anyway."""
        del spec
        return metric in (None, METRIC) and mode in (None, "max")

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Makes the trial known."""
        self._inner.begin(_id_of(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Returns `CONTINUE` or `STOP`."""
        found = TrialResult.of(result)
        if found is None:
            return str(TrialScheduler.CONTINUE)
        decision = self._judge(_id_of(trial), found.report, is_last=found.is_last)
        leaves = isinstance(decision, Stop | Pause)
        return str(TrialScheduler.STOP if leaves else TrialScheduler.CONTINUE)

    def on_trial_complete(
        self, tune_controller: Any, trial: Any, result: Mapping[str, Any]
    ) -> None:
        """Judges the last result, which Tune passes only here when the trial says it is done."""
        run_id = _id_of(trial)
        # After STOP this comes with a report that was judged already.
        if (found := TrialResult.of(result)) is not None:
            self._judge(run_id, found.report, is_last=found.is_last)
        if TrialFailure.of(result) is not None or not isinstance(self.decision_on(run_id), Pause):
            self._inner.forget(run_id)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Does nothing: Tune cannot go on with the trial, and the study ends (see `Logbook`)."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Passes on that the trial was taken away before it ran."""
        self._inner.forget(_id_of(trial))

    def debug_string(self) -> str:
        """Returns where the scheduler stands."""
        return self._inner.describe()

    def _judge(self, run_id: str, report: Report, *, is_last: bool) -> Decision:
        """Returns what becomes of a run after a report; that of one that comes again stands."""
        if report.number > self._judged.get(run_id, 0):
            self._judged[run_id] = report.number
            decision: Decision = GoOn()
            # A rung's cutoff is a percentile of the numbers in it: an infinite one would move it
            # for good.
            if math.isfinite(report.combined):
                decision = self._inner.decide(run_id, report)
            # After its last report a trial ends by itself. What is not to be stopped was judged all
            # the same: others are measured by it.
            if (is_last or self._is_kept(run_id, decision)) and not isinstance(decision, GoOn):
                # Nobody is to wait for it, or to have it go on.
                self._inner.forget(run_id)
                decision = GoOn()
            # Also the study file's own recipe: what may be spent is the user's to say.
            self._standing[run_id] = Stop() if self.limits.spent() and not is_last else decision
        return self.decision_on(run_id)

    def _is_kept(self, run_id: str, decision: Decision) -> bool:
        """Whether it is the yardstick, which nothing keeps from its end."""
        is_harmless = isinstance(decision, Pause) and self.waits_for_all
        return run_id == DEFAULT_ID and not is_harmless


def _in_order(
    records: Iterable[TrialRecord], order: Iterable[tuple[str, int]]
) -> Iterator[tuple[str, Report]]:
    """Yields (run id, report), in the order of (run id, number), then what is missing in that."""
    left = {record.id: deque(record.reports) for record in records}
    for run_id, number in order:
        # Those without a finite number are not in the order: they come before the one behind them.
        while (reports := left.get(run_id)) and reports[0].number <= number:
            yield run_id, reports.popleft()
    rest = [(run_id, report) for run_id, reports in left.items() for report in reports]
    yield from sorted(rest, key=lambda one: one[1].progress)


def _id_of(trial: Any) -> str:
    return TrialConfig.of(trial.config).spec.id
