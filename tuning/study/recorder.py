"""Writes down what happens to the trials of a running study: in its folder, then in its history."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from mtl_core.config import RunConfig
from mtl_core.files import write_text
from mtl_core.study_file import override
from mtl_core.training.decoded import Decoded
from mtl_core.training.report import Report, why_no_number
from tuning.records import DEFAULT_ID, Status, TakenOver, TrialRecord, Value
from tuning.study.folder import StudyFolder
from tuning.study.history import History


def note_decoded(folder: StudyFolder, history: History, run_id: str, found: Decoded) -> None:
    """Writes down what was found on the model of a trial that had ended before.

    Args:
        folder: The study folder, open.
        history: Gets the trial as it is now.
        run_id: The trial.
        found: What was found.
    """
    record = history[run_id]
    *before, last = record.reports
    reports = (*before, replace(last, decoded=found))
    write_text(folder.reports(run_id), "".join(f"{one.to_json()}\n" for one in reports))
    history.note(replace(record, reports=reports))


class Recorder:
    """Keeps history and folder in step, the folder first.

    Per trial the calls are `begin`, `report` for each report, `end`; one that pauses has `pause`
    and another `begin` in between. What it raises, over a full disk say, ends the study, which
    could not go on from what it did not write.
    """

    def __init__(
        self,
        run: Mapping[str, object],
        folder: StudyFolder,
        history: History,
        *,
        defaults: Mapping[str, Value],
        keep_checkpoints: int,
    ) -> None:
        """Makes the recorder of one search.

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
        self._written: dict[str, Mapping[str, object]] = {}
        """Run id -> the overrides of the configuration that was written in this session."""

    def begin(
        self,
        run_id: str,
        overrides: Mapping[str, object],
        parameters: Mapping[str, Value],
        taken_over: tuple[TakenOver, ...] = (),
    ) -> TrialRecord:
        """Writes the configuration of a trial; one that goes on keeps its reports.

        Args:
            run_id: The trial.
            overrides: Dotted key of `run` -> value.
            parameters: What was drawn; of the study file's own recipe only what lies in the space.
            taken_over: From which trials it took over a checkpoint.
        """
        if self._written.get(run_id) != overrides:
            self._write(run_id, overrides)
        # A trial that goes on, after a pause or a restart, keeps the reports that it has made.
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
                taken_over=taken_over,
            )
        )

    def _write(self, run_id: str, overrides: Mapping[str, object]) -> None:
        run = override(self._run, overrides)
        try:
            self._folder.begin_run(run_id, RunConfig.model_validate(run))
        except ValidationError:
            # Values that do not go together. The trial's worker will meet the same error, and only
            # the trial fails; here it would end the study.
            self._folder.begin_run(run_id, run)
        self._written[run_id] = dict(overrides)

    def report(self, run_id: str, report: Report) -> TrialRecord | None:
        """Adds a report and returns the record; None when a resumed trial only repeats it."""
        record = self.history[run_id]
        # They are numbered without gaps.
        if report.number <= len(record.reports):
            return None
        self._folder.add_report(run_id, report)
        return self._note(
            replace(
                record,
                reports=(*record.reports, report),
                seconds=record.seconds + report.seconds,
            )
        )

    def pause(self, run_id: str) -> TrialRecord:
        """Notes that a trial waits; its checkpoint stays, with all that it needs to go on."""
        return self._note(replace(self.history[run_id], status="paused"))

    def end(self, run_id: str, status: Status, error: str | None = None) -> TrialRecord:
        """Notes how a trial ended; one whose objective on dev was once NaN or infinite has failed.

        Args:
            run_id: The trial.
            status: How it ended.
            error: The traceback of a failed one.
        """
        # Optuna is told the same (`OpenTrial.end`); with another rule here the two would part.
        if status != "failed":
            for report in self.history[run_id].reports:
                if (reason := why_no_number(report)) is not None:
                    status, error = "failed", reason
                    break
        if error is not None:
            self._folder.write_error(run_id, error)
        # Read back, so that a record says what one that is read after a restart will say.
        record = replace(self.history[run_id], status=status, error=self._folder.read_error(run_id))
        # Noted before losers are dropped, since it may be one itself.
        self._note(record)
        self._drop_checkpoints()
        return record

    def _note(self, record: TrialRecord) -> TrialRecord:
        self.history.note(record)
        return record

    def _drop_checkpoints(self) -> None:
        """Removes what nobody will read of the checkpoints of ended trials: disks are finite."""
        losers = self.history.losers(self._keep_checkpoints)
        for record in losers:
            self._folder.drop_checkpoint(record.id)
        # Of the others the weights of the best report are kept: an ended trial never goes on.
        for record in self.history.ended:
            self._folder.drop_state(record.id)
