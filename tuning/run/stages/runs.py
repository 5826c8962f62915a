"""Trains runs that are no trials of the search, on all trainers at once; begun ones go on."""

from collections.abc import Callable, Sequence

from tuning.records import Status, TrialRecord
from tuning.study.clock import StudyClock
from tuning.study.recorder import Recorder
from tuning.trainers.messages import Failed, Reported, TrainerStatus, TrainJob, TrialSpec
from tuning.trainers.trainers import Trainers
from tuning.watch.watcher import Watcher


class RunTraining:
    """Trains runs, each with a record in the history of its recorder; made once for a stage.

    A run that fails is recorded as such, and the others go on.
    """

    def __init__(self, recorder: Recorder, watcher: Watcher, clock: StudyClock) -> None:
        """Makes that of a stage.

        Args:
            recorder: Writes the runs down; its history has all of them, as they are now.
            watcher: Told what happens.
            clock: Notes the time whenever a run ends; a kill then loses no more than that.
        """
        self._recorder = recorder
        self._watcher = watcher
        self._clock = clock
        self._waiting: dict[str, TrialRecord] = {}

    def train(
        self,
        specs: Sequence[TrialSpec],
        trainers: Trainers,
        *,
        ended: Callable[[TrialRecord], object] = lambda _: None,
    ) -> None:
        """Trains those of the runs that have not ended.

        Args:
            specs: All of them.
            trainers: Train them.
            ended: Called with each run that ends.

        Raises:
            TrainingError: No trainer can work; what is not done is done next time.
        """
        history = self._recorder.history
        records = [history[spec.id] for spec in specs]
        self._watcher.queued(
            [record.id for record in records], [one for one in records if one.has_ended]
        )
        left = [spec for spec in specs if not history[spec.id].has_ended]
        self._waiting = {spec.key: history[spec.id] for spec in left}
        jobs = [TrainJob(spec, delivered=len(history[spec.id].reports)) for spec in left]
        keys = {spec.id: spec.key for spec in left}
        for run_id, message in trainers.run(jobs, look=self._look):
            self._begin(keys[run_id])
            if isinstance(message, Failed):
                ended(self._end(run_id, "failed", message.error))
                continue
            assert isinstance(message, Reported)
            record = self._recorder.report(run_id, message.report)
            if record is not None:
                self._watcher.reported(record)
            if message.is_last:
                ended(self._end(run_id, "complete"))

    def _look(self, statuses: Sequence[TrainerStatus]) -> None:
        for status in statuses:
            if status.job is not None:
                self._begin(status.job)
        self._watcher.progressed(statuses)

    def _begin(self, key: str) -> None:
        # When a trainer has it: a run that waits has not begun.
        record = self._waiting.pop(key, None)
        if record is not None:
            begun = self._recorder.begin(record.id, record.overrides, record.parameters)
            self._watcher.began(begun)

    def _end(self, run_id: str, status: Status, error: str | None = None) -> TrialRecord:
        # The record, the clock, the watchers: whoever is told finds it written.
        record = self._recorder.end(run_id, status, error)
        self._clock.note()
        self._watcher.ended(record)
        return record
