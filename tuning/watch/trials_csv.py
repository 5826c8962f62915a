"""The trials of a study as a table: trials.csv, and the DataFrame of a notebook."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas

from mtl_core.files import write_text
from mtl_core.scores import ScoreTree, flatten
from tuning.goals import FLOORS, Goal
from tuning.records import TrialRecord, Value, keys_of_all, order_of
from tuning.watch.watcher import Watcher


class TrialsCsv(Watcher):
    """Writes the whole table anew when a trial ends or pauses, and at the end of the session."""

    def __init__(
        self, path: Path, records: Iterable[TrialRecord], goal: Goal | None = None
    ) -> None:
        """Begins with the trials that are there; writes nothing yet.

        Args:
            path: The file.
            records: The trials of earlier sessions.
            goal: By what trials are compared; None = by their combined scores.
        """
        self._path = path
        self._goal = goal
        self._records = {record.id: record for record in records}

    def began(self, record: TrialRecord) -> None:
        """Notes the trial; the next one to end brings it into the table."""
        if record.is_trial:
            self._records[record.id] = record

    def reported(self, record: TrialRecord) -> None:
        """Notes the newest scores."""
        self.began(record)

    def paused(self, record: TrialRecord) -> None:
        """Writes the table."""
        self.ended(record)

    def ended(self, record: TrialRecord) -> None:
        """Writes the table."""
        self.began(record)
        if record.is_trial:
            self.close()

    def close(self) -> None:
        """Writes the table."""
        # Trials of several trainers begin in any order.
        ordered = [self._records[run_id] for run_id in sorted(self._records, key=order_of)]
        write_text(self._path, trials_frame(ordered, self._goal).to_csv(index=False))


def trials_frame(records: Sequence[TrialRecord], goal: Goal | None = None) -> pandas.DataFrame:
    """Returns one row per trial: id, status, parameters, dev scores at the best report, cost.

    The columns are "trial", "status", one per parameter, "combined", "joint_accuracy",
    "<task>.<score>", "best_epoch" (that of the best report, a fraction where it lies within one),
    "epochs" and "seconds", and, where trials were scored on a sample of dev, before these
    "combined_on_sample", the best there. What a trial lacks is missing: a parameter of a section
    that it did not choose, the scores of a trial that never reported on all of dev.

    With several objectives "front" and "chosen" stand behind the status. With limits "feasible"
    does, and behind the scores what is limited.
    """
    scores = [_dev_scores(record) for record in records]
    # These two stand first, and stand there also before any trial has reported.
    score_names = keys_of_all([{"combined": 0.0, "joint_accuracy": 0.0}, *scores])
    # Each column: (trials,), with None where a trial lacks the value.
    columns: dict[str, list[Value]] = {
        "trial": [record.id for record in records],
        "status": [record.status for record in records],
        **(_standing(records, goal) if goal is not None else {}),
        **{
            name: [record.parameters.get(name) for record in records]
            for name in keys_of_all(record.parameters for record in records)
        },
        **{name: [row.get(name) for row in scores] for name in score_names},
        **(_measured(records, goal) if goal is not None else {}),
        **_on_samples(records),
        "best_epoch": [
            _number(record.best.progress) if record.best else None for record in records
        ],
        "epochs": [_number(record.progress) for record in records],
        "seconds": [record.seconds for record in records],
    }
    return pandas.DataFrame({name: _series(values) for name, values in columns.items()})


def _standing(records: Sequence[TrialRecord], goal: Goal) -> dict[str, list[Value]]:
    """Returns where trials stand: on the front, chosen, within the limits; as the goal asks for."""
    columns: dict[str, list[Value]] = {}
    if goal.tasks:
        ended = [record for record in records if record.has_ended]
        front, chosen = goal.front(ended), goal.best(ended)
        columns["front"] = [record in front for record in records]
        columns["chosen"] = [record is chosen for record in records]
    if goal.limits:
        columns["feasible"] = [
            goal.missed(record) == 0 if record.best is not None else None for record in records
        ]
    return columns


def _measured(records: Sequence[TrialRecord], goal: Goal) -> dict[str, list[Value]]:
    # Scores have their columns already.
    names = [name for name in goal.limits if not name.startswith(FLOORS)]
    found = [goal.measured(record.reports) for record in records]
    return {name: [row.get(name) for row in found] for name in names}


def _dev_scores(record: TrialRecord) -> dict[str, float]:
    best = record.best
    if best is None:
        return {}
    tree: ScoreTree = {"combined": best.combined, "joint_accuracy": best.joint_accuracy, **best.dev}
    return flatten(tree, ".")


def _on_samples(records: Sequence[TrialRecord]) -> dict[str, list[Value]]:
    """Returns the column of what trials reached on samples of dev; none where there are no such."""
    best = [record.best_on_sample for record in records]
    if not any(best):
        return {}
    return {"combined_on_sample": [one.combined if one is not None else None for one in best]}


def _number(epochs: float) -> int | float:
    """Returns whole epochs as a whole number."""
    return int(epochs) if epochs.is_integer() else epochs


def _series(values: list[Value]) -> pandas.Series:
    # Without the nullable type a whole number becomes 3.0 as soon as one trial lacks it. Types are
    # compared exactly: for Python a bool is an int.
    is_whole = {type(value) for value in values if value is not None} == {int}
    return pandas.Series(values, dtype="Int64" if is_whole else None)
