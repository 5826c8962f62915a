"""Writes down what happens to the trials of a running study, in its folder and in its history."""

import math
from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from mtl_core.config import RunConfig
from mtl_core.study_file import override
from mtl_core.training.report import EpochReport
from tuning.records import DEFAULT_ID, Status, TrialRecord, Value, rank
from tuning.study.folder import StudyFolder
from tuning.study.history import History


class Recorder:
    """Keeps history and folder in step; what it raises ends the study, which could not go on."""

    def __init__(
        self,
        run: Mapping[str, object],
        folder: StudyFolder,
        history: History,
        *,
        defaults: Mapping[str, Value],
        keep_checkpoints: int,
    ) -> None:
        """Makes one.

        Args:
            run: The resolved `run` section as plain data.
            folder: The study folder, open.
            history: What is known so far.
            defaults: Parameters of the study file's own recipe.
            keep_checkpoints: How many of the best trials keep theirs; the default does as well.
        """
        self._run = run
        self._folder = folder
        self.history = history
        self._defaults = defaults
        self._keep_checkpoints = keep_checkpoints

    def begin(
        self, run_id: str, overrides: Mapping[str, object], parameters: Mapping[str, Value]
    ) -> TrialRecord:
        """Writes the configuration of a trial; one that goes on keeps its reports.

        Args:
            run_id: The trial.
            overrides: Dotted key of `run` -> value.
            parameters: What was drawn; of the study file's own recipe only what lies in the space.
        """
        run = override(self._run, overrides)
        try:
            self._folder.begin_trial(run_id, RunConfig.model_validate(run))
        except ValidationError:  # Values that do not go together: the trial will fail.
            self._folder.begin_trial(run_id, run)
        before = self.history.get(run_id)
        reports = before.reports if before is not None else ()
        return self._note(
            TrialRecord(
                id=run_id,
                status="running",
                parameters=dict(self._defaults if run_id == DEFAULT_ID else parameters),
                overrides=dict(overrides),
                reports=reports,
                seconds=sum(report.seconds for report in reports),
            )
        )

    def report(self, run_id: str, report: EpochReport) -> TrialRecord | None:
        """Adds a report; None when a resumed trial only repeats it."""
        record = self.history[run_id]
        if report.epoch <= len(record.reports):
            return None
        self._folder.add_report(run_id, report)
        return self._note(
            replace(
                record,
                reports=(*record.reports, report),
                seconds=record.seconds + report.seconds,
            )
        )

    def end(self, run_id: str, status: Status, error: str | None = None) -> TrialRecord:
        """Notes how a trial ended; one with a report without a number has failed.

        Args:
            run_id: The trial.
            status: How it ended.
            error: The traceback of a failed one.
        """
        if status != "failed":
            for report in self.history[run_id].reports:
                if not math.isfinite(report.combined):
                    status, error = "failed", f"epoch {report.epoch}: the objective is no number"
                    break
        if error is not None:
            self._folder.write_error(run_id, error)
        record = replace(self.history[run_id], status=status, error=self._folder.read_error(run_id))
        self._note(record)
        self._drop_losers()
        return record

    def _note(self, record: TrialRecord) -> TrialRecord:
        self.history.note(record)
        return record

    def _drop_losers(self) -> None:
        """Removes the checkpoints that nobody will read: disks are finite."""
        ranked = sorted(self.history.ended, key=rank)
        for record in ranked[self._keep_checkpoints :]:
            if record.id != DEFAULT_ID:
                self._folder.drop_checkpoint(record.id)
