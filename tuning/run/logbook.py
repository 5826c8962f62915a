"""The logbook: writes down what happens in a study, as Ray Tune's callback in the driver."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna import Study as OptunaStudy
from pydantic import ValidationError
from ray.tune import Callback

from mtl_core.config import RunConfig
from mtl_core.study_file import override
from tuning.records import DEFAULT_ID, Status, TrialRecord, order_of, rank
from tuning.report.frame import trials_frame
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import read_records
from tuning.trainers.trainers import Trainers
from tuning.trainers.tune_values import TrialConfig, TrialFailedError, TrialResult
from tuning.watch.observer import Observer
from tuning.watch.tensorboard import StudyBoard

_CHECK_SECONDS = 0.5
"""Between looks at the trainers: Tune steps once per event, up to a thousand times a second."""


class Logbook(Callback):  # type: ignore[misc]  # Ray carries no types
    """Keeps the records of all trials: in memory, in the study folder and in TensorBoard."""

    def __init__(
        self,
        study: StudyFile,
        folder: StudyFolder,
        optuna_study: OptunaStudy,
        observer: Observer,
        *,
        start: float,
    ) -> None:
        """Opens the logbook of a session that began at `start` on the monotonic clock."""
        self._study = study
        self._run = study.run.model_dump(mode="json")
        self._defaults = study.default_parameters
        self._folder = folder
        self._optuna_study = optuna_study
        self._observer = observer
        self._board = StudyBoard(folder.tensorboard, study.space.parameters)
        self._trainers: Trainers | None = None
        self._checked = 0.0
        self._started: set[str] = set()
        self._start = start
        self._seconds_before = float(optuna_study.user_attrs.get("seconds", 0.0))
        self.records = read_records(folder, optuna_study, self._defaults)

    def __getstate__(self) -> dict[str, object]:
        """Leaves nothing for the pickle that Tune makes of its callbacks and nobody reads."""
        return {}

    def attach(self, trainers: Trainers) -> None:
        """Names the trainers that are told when a trial is stopped."""
        self._trainers = trainers

    def on_step_begin(self, iteration: int, trials: Sequence[Any], **info: Any) -> None:
        """Leaves the search when no trainer can work: what is not done is then done next time.

        Raises:
            TrainingError: So it is.
        """
        now = time.monotonic()
        if self._trainers is not None and now - self._checked >= _CHECK_SECONDS:
            self._checked = now
            self._trainers.check()
            statuses = self._trainers.statuses()
            if statuses is not None:
                self._observer.progressed(statuses)

    def on_trial_start(
        self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any
    ) -> None:
        """Writes the trial's configuration; a trial that goes on keeps its reports."""
        config = TrialConfig.of(trial.config)
        run_id, overrides = config.spec.id, config.spec.overrides
        run = override(self._run, overrides)
        try:
            self._folder.begin_trial(run_id, RunConfig.model_validate(run))
        except ValidationError:  # Values that do not go together: the trial will fail.
            self._folder.begin_trial(run_id, run)
        reports = self._folder.read_reports(run_id)
        # Of the study file's own recipe Optuna knows only what lies in the space.
        parameters = self._defaults if run_id == DEFAULT_ID else config.parameters
        record = self.records[run_id] = TrialRecord(
            id=run_id,
            status="running",
            parameters=dict(parameters),
            overrides=dict(overrides),
            reports=reports,
            seconds=sum(report.seconds for report in reports),
        )
        self._started.add(run_id)
        self._board.begin(record)
        self._observer.began(record)

    def on_trial_result(
        self, iteration: int, trials: Sequence[Any], trial: Any, result: Mapping[str, Any], **_: Any
    ) -> None:
        """Adds a report, unless a resumed trial only repeats it."""
        found = TrialResult.of(result)
        assert found is not None
        report, record = found.report, self.records[TrialConfig.of(trial.config).spec.id]
        if report.epoch <= len(record.reports):
            return
        self._folder.add_report(record.id, report)
        record = replace(
            record,
            reports=(*record.reports, report),
            seconds=record.seconds + report.seconds,
        )
        self.records[record.id] = record
        self._board.report(record.id, report)
        self._observer.reported(record)

    def on_trial_complete(
        self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any
    ) -> None:
        """Notes that a trial ran all its epochs or was stopped; one without a number has failed."""
        run_id = TrialConfig.of(trial.config).spec.id
        for report in self.records[run_id].reports:
            if not math.isfinite(report.combined):
                self._folder.write_error(
                    run_id, f"epoch {report.epoch}: the objective is no number"
                )
                return self._end(trial, "failed")
        last = TrialResult.of(trial.last_result)
        is_complete = last is not None and last.is_last
        return self._end(trial, "complete" if is_complete else "stopped")

    def on_trial_error(
        self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any
    ) -> None:
        """Keeps the traceback of a failed trial."""
        # Not `trial.get_error`, which reads a copy that Tune may make later.
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
        run_id = TrialConfig.of(trial.config).spec.id
        self._folder.write_error(run_id, TrialFailedError.told_in(text))
        self._end(trial, "failed")

    @property
    def seconds(self) -> float:
        """Wall time of the study, over all its sessions; of a killed one, to its last trial."""
        return self._seconds_before + time.monotonic() - self._start

    def close(self) -> None:
        """Writes what is still to write, and closes the event files."""
        if self._trainers is not None:  # To look at what is there takes no time of the study.
            self._note_seconds()
        self.write_trials()
        self._board.close()

    def _note_seconds(self) -> None:
        self._optuna_study.set_user_attr("seconds", self.seconds)

    def _end(self, trial: Any, status: Status) -> None:
        run_id = TrialConfig.of(trial.config).spec.id
        if self._trainers is not None and status != "complete":
            self._trainers.stop(run_id)
        if run_id not in self._started:
            # A trial whose actor could not be made ends without having started.
            self.on_trial_start(0, (), trial)
        record = self.records[run_id]
        record = replace(record, status=status, error=self._folder.read_error(run_id))
        self.records[run_id] = record
        self._board.end(record)
        self._drop_losers()
        self.write_trials()
        self._note_seconds()
        self._observer.ended(record)

    def _drop_losers(self) -> None:
        """Removes the checkpoints that nobody will read: disks are finite."""
        ended = [record for record in self.records.values() if record.status != "running"]
        ranked = sorted(ended, key=rank)
        keep = {record.id for record in ranked[: self._study.study.keep_checkpoints]}
        for record in ended:
            if record.id not in keep | {DEFAULT_ID}:
                self._folder.drop_checkpoint(record.id)

    def write_trials(self) -> None:
        """Writes trials.csv."""
        records = [self.records[run_id] for run_id in sorted(self.records, key=order_of)]
        trials_frame(records).to_csv(self._folder.trials_csv, index=False)
