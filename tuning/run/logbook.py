"""The logbook of a study: Ray Tune's callback in the driver, which tells what happens."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray.tune import Callback

from mtl_core.errors import TrainingError
from mtl_core.reasons import reason_in
from tuning.cluster.deaths import KEPT
from tuning.records import Status
from tuning.search.ending import ending_the_search
from tuning.search.study_scheduler import StudyScheduler
from tuning.study.clock import StudyClock
from tuning.study.recorder import Recorder
from tuning.trainers._ray_tune import drop_empty
from tuning.trainers.decisions import Pause
from tuning.trainers.messages import TrialSpec
from tuning.trainers.trainers import Trainers
from tuning.trainers.tune_values import TrialConfig, TrialFailure, TrialResult
from tuning.watch.watcher import Watcher

_CHECK_SECONDS = 0.5
"""Between looks at the trainers: Tune steps once per event, up to a thousand times a second."""


class Logbook(Callback):  # type: ignore[misc]  # Ray carries no types
    """Has every event written down first, then tells the watchers.

    Tune calls from the thread of its own loop and waits. An error of a watcher stays with the
    watcher; any other that is raised here ends the search: a record that cannot be written must not
    fail its trial.
    """

    def __init__(
        self,
        recorder: Recorder,
        trainers: Trainers,
        watcher: Watcher,
        clock: StudyClock,
        scheduler: StudyScheduler,
    ) -> None:
        """Makes the callback of one search.

        Args:
            recorder: Writes trials down.
            trainers: Looked after; told when a trial is stopped or pauses.
            watcher: Told what happens.
            clock: Notes the time whenever a trial ends; a kill then loses no more than that.
            scheduler: Knows which trials are paused.
        """
        self._recorder = recorder
        self._trainers = trainers
        self._watcher = watcher
        self._clock = clock
        self._scheduler = scheduler
        self._checked = 0.0

    def __getstate__(self) -> dict[str, object]:
        """Leaves nothing for the pickle that Tune makes of its callbacks and nobody reads."""
        return {}

    @ending_the_search()
    def on_step_begin(self, iteration: int, trials: Sequence[Any], **info: Any) -> None:
        """Leaves the search when no trainer can work: what is not done is then done next time.

        Raises:
            TrainingError: No trainer can work.
        """
        # Here, since Tune has no call for "a while has passed", and would wait for ever for trials
        # that no trainer takes.
        now = time.monotonic()
        if now - self._checked >= _CHECK_SECONDS:
            self._checked = now
            self._trainers.check()
            # The answer to the question of the last look: waiting for it would hold up all trials.
            statuses = self._trainers.statuses()
            if statuses is not None:
                self._watcher.progressed(statuses)

    @ending_the_search()
    def on_trial_start(
        self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any
    ) -> None:
        """A trial begins, or goes on after a restart of the driver."""
        config = TrialConfig.of(trial.config)
        record = self._recorder.begin(
            config.spec.id, config.spec.overrides, config.parameters, config.taken_over
        )
        self._watcher.began(record)

    @ending_the_search()
    def on_trial_result(
        self, iteration: int, trials: Sequence[Any], trial: Any, result: Mapping[str, Any], **_: Any
    ) -> None:
        """A trial reports; one that is resumed repeats its early reports."""
        if TrialFailure.of(result) is not None:
            return  # No report: the end comes next.
        # By now the scheduler has decided on the report, but nobody has acted on the decision.
        found = TrialResult.of(result)
        assert found is not None
        record = self._recorder.report(TrialConfig.of(trial.config).spec.id, found.report)
        if record is not None:
            self._watcher.reported(record)

    @ending_the_search()
    def on_trial_complete(
        self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any
    ) -> None:
        """A trial ran all its epochs, was stopped, failed, or paused."""
        self._leave(TrialConfig.of(trial.config).spec, trial)
        drop_empty(trial.local_path)

    def _leave(self, spec: TrialSpec, trial: Any) -> None:
        run_id = spec.id
        # Its trainer has left a trial that failed, and one that came to its end.
        if (failure := TrialFailure.of(trial.last_result)) is not None:
            self._end(run_id, "failed", failure.reason)
            return
        last = TrialResult.of(trial.last_result)
        if last is not None and last.is_last:
            self._end(run_id, "complete")
            return
        # The trainer first: it may still work on the trial, and would write its checkpoint again.
        self._trainers.stop(spec.key, last.report.number if last is not None else 0)
        # Tune knows one end for both.
        if isinstance(self._scheduler.decision_on(run_id), Pause):
            self._watcher.paused(self._recorder.pause(run_id))
        else:
            self._end(run_id, "stopped")

    @ending_the_search()
    def on_trial_error(
        self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any
    ) -> None:
        """Tune cannot go on with a trial, whose actor died once too often or does not start.

        That is no failure of the trial, which would have come as a result: the search ends.

        Raises:
            TrainingError: Always.
        """
        run_id = TrialConfig.of(trial.config).spec.id
        said = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        raise TrainingError(
            f"the process that hears of trial {run_id} died too often, or does not start: "
            f"{reason_in(said)}; {KEPT}"
        )

    def stopped(self, run_ids: Sequence[str]) -> None:
        """Trials that no trainer works on were ended as stopped."""
        for run_id in run_ids:
            self._end(run_id, "stopped")

    def _end(self, run_id: str, status: Status, error: str | None = None) -> None:
        # The record, the clock, the watchers: whoever is told finds it written.
        record = self._recorder.end(run_id, status, error)
        self._clock.note()
        self._watcher.ended(record)
