"""Private parts of Optuna that are used, as of Optuna 5.0: above all the form of its journal.

The journal is the truth about a study, and a part of its lines is written here. So before a byte
is written, a rehearsal in memory shows whether Optuna still writes and reads lines of the form in
`journal_lines`, and each line of a journal is looked at as it is read.
"""

import json
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import (
    BaseJournalBackend,
    JournalFileBackend,
    JournalFileSymlinkLock,
)
from optuna.trial import TrialState

from mtl_core.files import whole_append
from tuning.search.journal_lines import JournalLines, check_unfinished
from tuning.search.journal_state import JournalFormError

_MAJOR = "5"
"""Major version of Optuna whose journal is known."""


_LIGHT = frozenset({7, 8})
"""Operations that need not reach the disk at once: reports and attributes of trials."""


class Journal(JournalFileBackend):
    """A journal whose reports reach the disk with the next point or outcome, not one by one.

    A killed driver loses nothing by it, and after a power cut the reports are still in the trials'
    folders; waiting for the disk at every report would keep a driver of hundreds of trainers busy.
    """

    def __init__(self, path: Path, *, lock_seconds: int) -> None:
        """Opens the file `path`; a lock older than `lock_seconds` was left by a killed driver."""
        self._path = path
        # One lock for both ways of writing, Optuna's and the light one below. A symlink, which also
        # locks on network file systems.
        self._guard = JournalFileSymlinkLock(str(path), grace_period=lock_seconds)
        super().__init__(str(path), lock_obj=self._guard)
        self._lines = JournalLines()
        self._offsets = [0]  # Where each line begins.

    @property
    def line(self) -> int:
        """The line that stands behind those that were read and are of the known form."""
        return self._lines.count + 1

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yields operations; raises a `JournalFormError` at the first of an unknown form."""
        # Not Optuna's own, which passes over a broken last line and applies whatever is JSON.
        with self._path.open("rb") as journal:
            journal.seek(self._offsets[log_number_from])
            for number, line in enumerate(journal, start=log_number_from):
                if not line.endswith(b"\n"):  # Left by a killed driver, or just being written.
                    check_unfinished(line)
                    return
                if number == self._lines.count:
                    self._lines.check(line)
                    self._offsets.append(journal.tell())
                yield json.loads(line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes operations, and waits for the disk when one of them is of weight."""
        # What was drawn and how trials ended cannot be had again, so Optuna's own `append_logs`
        # waits for the disk (fsync). Below, the same lines are written without that.
        if any(log["op_code"] not in _LIGHT for log in logs):
            with whole_append(self._path):
                super().append_logs(logs)
            return
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._guard.acquire()
        try:
            # In one write, whose end is a line end: a driver killed in it leaves one unfinished
            # line, which `tuning.study.journal` cuts off.
            with whole_append(self._path), self._path.open("ab") as journal:
                journal.write(lines.encode())
        finally:
            self._guard.release()


def rehearse() -> None:
    """Writes and reads a small study in memory, as a search does on disk; takes milliseconds.

    Raises:
        JournalFormError: The installed Optuna writes or reads its journal in another form.
    """
    if optuna.__version__.partition(".")[0] != _MAJOR:
        raise JournalFormError(f"only the journal of Optuna {_MAJOR} is known")
    # What a search does: a report, all ends of a trial, and a trial that is left open.
    written = _Memory([])
    study = _study(optuna.create_study, written, direction="maximize")
    study.set_user_attr("seconds", 1.5)
    study.enqueue_trial({"x": 0.25})
    trial = study.ask()
    trial.suggest_float("x", 0.0, 1.0)
    trial.set_user_attr("overrides", {"x": 0.25})
    # As samplers keep what they have to know of it, and of all trials.
    study._storage.set_trial_system_attr(trial._trial_id, "generation", 0)
    study._storage.set_study_system_attr(study._study_id, "Sampler:parent:1", [0])
    trial.report(0.5, 1)
    study.tell(trial, 0.5)
    study.tell(study.ask(), state=TrialState.PRUNED)
    study.tell(study.ask(), state=TrialState.FAIL)
    study.ask()
    # Read anew from the lines, as after a restart.
    found = _study(optuna.load_study, _Memory(written.logs))
    first, *others = found.get_trials(deepcopy=False)
    facts = (first.state, first.value, first.params, first.intermediate_values, first.user_attrs)
    if facts != (TrialState.COMPLETE, 0.5, {"x": 0.25}, {1: 0.5}, {"overrides": {"x": 0.25}}):
        raise JournalFormError(f"what is written of a trial is read as {facts}")
    states = [trial.state for trial in others]
    if states != [TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]:
        raise JournalFormError(f"the states of trials are read as {states}")
    if found.user_attrs != {"seconds": 1.5}:
        raise JournalFormError(f"what is written of a study is read as {found.user_attrs}")
    kept = found._storage.get_study_system_attrs(found._study_id)
    if first.system_attrs.get("generation") != 0 or kept != {"Sampler:parent:1": [0]}:
        raise JournalFormError(f"what samplers keep is read as {first.system_attrs}, {kept}")
    if [optuna.Trial(found, one).number for one in open_trials(found).values()] != [3]:
        raise JournalFormError("a trial that was running is not found")


def _study(make: Any, journal: BaseJournalBackend, **settings: Any) -> optuna.Study:
    study: optuna.Study = make(
        storage=JournalStorage(journal),
        study_name="rehearsal",
        sampler=optuna.samplers.RandomSampler(seed=0),
        **settings,
    )
    return study


class _Memory(BaseJournalBackend):
    """A journal in memory, of lines as they would stand in a file."""

    def __init__(self, logs: list[dict[str, Any]]) -> None:
        self.logs = logs
        self._lines = JournalLines()

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        for log in logs:
            # Through text, as in a file: tuples become lists, and integer keys of dicts become
            # text.
            line = json.dumps(log, separators=(",", ":"))
            self._lines.check(line.encode())
            self.logs.append(json.loads(line))


def open_trials(study: optuna.Study) -> dict[int, int]:
    """Returns number -> Optuna's id of the trials that have not ended, in order.

    `optuna.Trial(study, id)` goes on with one. Making it draws from the study's sampler, so it is
    made when its turn comes and not before.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial.number: trial._trial_id for trial in running}
