"""The trials of a study, in memory: read from its folder, kept up to date while it runs."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from optuna import Study as OptunaStudy
from optuna.trial import FrozenTrial, TrialState

from mtl_core.training.decoded import Decoded, Tried
from tuning.goals import Goal
from tuning.records import (
    DEFAULT_ID,
    ENDED,
    Status,
    TrialRecord,
    Value,
    order_of,
    present_recipe,
    run_id_of,
)
from tuning.study.agreement import agreed_reports, check_known, names_of_trials
from tuning.study.folder import StudyFolder

logger = logging.getLogger(__name__)

_STATUS: Mapping[TrialState, Status] = {
    TrialState.RUNNING: "running",  # Also one that is paused, and that of a driver which is gone.
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}


_MOST_TRIED = 200
"""What the next trial is told of; more would teach it little, and goes with every trial."""


class History:
    """All trials with their reports, each known by its run id.

    It says which trials may be the best of a finished study and of one that runs; `goal` has the
    rule. Records are frozen: `note` puts a new one in the place of the old, so what a caller
    holds never changes.
    """

    def __init__(self, records: Iterable[TrialRecord] = (), goal: Goal | None = None) -> None:
        self._records = {record.id: record for record in records}
        self.goal = goal or Goal()
        """By what they are compared."""

    def __iter__(self) -> Iterator[TrialRecord]:
        """Yields the trials, the oldest first."""
        return iter([self._records[run_id] for run_id in sorted(self._records, key=order_of)])

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, run_id: str) -> TrialRecord:
        return self._records[run_id]

    def get(self, run_id: str) -> TrialRecord | None:
        """Returns a trial; None when it has not begun."""
        return self._records.get(run_id)

    def note(self, record: TrialRecord) -> None:
        """Puts what is now known of a trial in the place of what was known before."""
        self._records[record.id] = record

    @property
    def default(self) -> TrialRecord | None:
        """The trial of the study file's own recipe, decoded as that says; None before it began."""
        found = self._records.get(DEFAULT_ID)
        return None if found is None else found.as_trained

    @property
    def ended(self) -> list[TrialRecord]:
        """The trials that ended, whatever way."""
        return [record for record in self if record.has_ended]

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of those that ended well; see `Goal.best`."""
        return self.goal.best(self.ended)

    @property
    def front(self) -> list[TrialRecord]:
        """The trials that no other beats in all objectives; [] with one objective."""
        return self.goal.front(self.ended)

    @property
    def best_so_far(self) -> TrialRecord | None:
        """The best trial of a study that still runs: also one that has not ended."""
        return self.goal.best(self)

    def tried_on_models(self, searched: str) -> list[Tried]:
        """Returns what settings of decoding were tried on the models of trials, the latest ones.

        Args:
            searched: Of what search, as a hash.
        """
        found = self._decoded(searched)
        return [one for decoded in found for one in decoded.tried][-_MOST_TRIED:]

    def searched_s(self, searched: str) -> float:
        """Returns the seconds for which settings of decoding were searched on models of trials.

        Args:
            searched: By what search, as a hash.
        """
        return sum(decoded.seconds for decoded in self._decoded(searched))

    def _decoded(self, searched: str) -> list[Decoded]:
        found = [record.decoded for record in self if record.decoded is not None]
        return [decoded for decoded in found if decoded.searched == searched]

    def losers(self, keep: int) -> list[TrialRecord]:
        """Returns the ended trials whose checkpoints nobody will read.

        Args:
            keep: How many of the best keep theirs; the default, which is scored on test at the end
                however poor it is, does as well, and so does the front: another trial may move the
                knee to any of it.
        """
        # Of ended trials alone: one that runs goes on from its checkpoint after a crash.
        ranked = self.goal.ranked(self.ended)
        kept = {DEFAULT_ID, *(record.id for record in self.front)}
        return [record for record in ranked[keep:] if record.id not in kept]

    @property
    def counts(self) -> dict[str, int]:
        """Status -> number of trials that ended so; 0 where there is none."""
        return {status: sum(record.status == status for record in self) for status in ENDED}


def read_history(
    folder: StudyFolder,
    optuna_study: OptunaStudy,
    default_parameters: Mapping[str, Value] | None = None,
    goal: Goal | None = None,
    *,
    tell: Callable[[str], None] = logger.warning,
) -> History:
    """Puts together what the journal, reports and errors in a study folder tell of its trials.

    Args:
        folder: The study folder.
        optuna_study: Its journal.
        default_parameters: Of trial 0, of which the journal knows only what lies in the space.
        goal: By what trials are compared; None = by their combined scores.
        tell: Called with a line for each trial that has lost reports.

    Raises:
        BrokenError: A file is broken, or they do not agree; see `tuning.study.agreement`.
    """
    names = names_of_trials(folder)
    trials = optuna_study.get_trials(deepcopy=False)
    check_known(folder, names, len(trials))
    # WAITING ones are queued in the journal, and have not begun.
    records = [_record(folder, trial, tell) for trial in trials if trial.state in _STATUS]
    history = History(records, goal)
    # Optuna takes no value from outside of a parameter's domain, so the default's own values are
    # missing there, and are known from the study file.
    if default_parameters is not None and (own := history.get(DEFAULT_ID)) is not None:
        history.note(replace(own, parameters=dict(default_parameters)))
    return history


def _record(folder: StudyFolder, trial: FrozenTrial, tell: Callable[[str], None]) -> TrialRecord:
    run_id = run_id_of(trial.number)
    reports = agreed_reports(folder, trial, tell)
    known = trial.user_attrs
    # Optuna's own parameters are what it draws, where that is something else than what is shown.
    drawn = known.get("overrides", {}), known.get("parameters", trial.params)
    (overrides, parameters), taken_over = present_recipe(drawn, known.get("taken_over", ()))
    return TrialRecord(
        id=run_id,
        status=_STATUS[trial.state],
        parameters=dict(parameters),
        overrides=dict(overrides),
        reports=reports,
        # Those of the epochs. Between Optuna's start and end of a trial its driver may have been
        # dead for days.
        seconds=sum(report.seconds for report in reports),
        error=folder.read_error(run_id),
        taken_over=taken_over,
    )
