"""The trials of a study as its folder tells of them: journal, reports and errors put together."""

from collections.abc import Mapping

from optuna import Study as OptunaStudy
from optuna.trial import TrialState

from tuning.records import DEFAULT_ID, Status, TrialRecord, Value, rank, run_id_of
from tuning.study.folder import StudyFolder

_STATUS: Mapping[TrialState, Status] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}


def read_records(
    folder: StudyFolder,
    optuna_study: OptunaStudy,
    default_parameters: Mapping[str, Value] | None = None,
) -> dict[str, TrialRecord]:
    """Returns run id -> what the study folder knows of it.

    Args:
        folder: The study folder.
        optuna_study: Its journal.
        default_parameters: Of trial 0, of which the journal knows only what lies in the space.
    """
    records = {}
    for trial in optuna_study.get_trials(deepcopy=False):
        if trial.state in _STATUS:
            run_id = run_id_of(trial.number)
            reports = folder.read_reports(run_id)
            parameters = trial.params
            if run_id == DEFAULT_ID and default_parameters is not None:
                parameters = dict(default_parameters)
            records[run_id] = TrialRecord(
                id=run_id,
                status=_STATUS[trial.state],
                parameters=parameters,
                overrides=dict(trial.user_attrs.get("overrides", {})),
                reports=reports,
                seconds=sum(report.seconds for report in reports),
                error=folder.read_error(run_id),
            )
    return records


def best_record(records: Mapping[str, TrialRecord]) -> TrialRecord | None:
    """Returns the ended trial with the best dev score; the earlier one among equals."""
    ended = [record for record in records.values() if record.status in ("complete", "stopped")]
    scored = [record for record in ended if record.best is not None]
    return min(scored, key=rank, default=None)


def best_so_far(records: Mapping[str, TrialRecord]) -> TrialRecord | None:
    """Returns the best trial of a study that still runs: also one that has not ended."""
    scored = [r for r in records.values() if r.status != "failed" and r.best is not None]
    return min(scored, key=rank, default=None)
