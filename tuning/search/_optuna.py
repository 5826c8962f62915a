"""Private parts of Optuna that are used, as of Optuna 5.0: above all the form of its journal.

The journal is the truth about a study, and a part of its lines is written here. So before a byte
is written, a rehearsal in memory shows whether Optuna still writes and reads lines of the form
below, and each line of a journal is looked at as it is read.
"""

import enum
import json
from collections.abc import Generator, Iterable, Mapping
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

_MAJOR = "5"
"""Major version of Optuna whose journal is known."""


class JournalFormError(Exception):
    """The form of Optuna's journal is not the known one; the text says where it differs."""


class _Operation(enum.IntEnum):
    """The operations of a journal, under the numbers that its lines have."""

    CREATE_STUDY = 0
    DELETE_STUDY = 1
    SET_STUDY_USER_ATTR = 2
    SET_STUDY_SYSTEM_ATTR = 3
    CREATE_TRIAL = 4
    SET_TRIAL_PARAM = 5
    SET_TRIAL_STATE_VALUES = 6
    SET_TRIAL_INTERMEDIATE_VALUE = 7
    SET_TRIAL_USER_ATTR = 8
    SET_TRIAL_SYSTEM_ATTR = 9


_KEYS: Mapping[int, frozenset[str]] = {
    _Operation.CREATE_STUDY: frozenset({"study_name", "directions"}),
    _Operation.DELETE_STUDY: frozenset({"study_id"}),
    _Operation.SET_STUDY_USER_ATTR: frozenset({"study_id", "user_attr"}),
    _Operation.SET_STUDY_SYSTEM_ATTR: frozenset({"study_id", "system_attr"}),
    _Operation.CREATE_TRIAL: frozenset({"study_id", "datetime_start"}),
    _Operation.SET_TRIAL_PARAM: frozenset(
        {"trial_id", "param_name", "param_value_internal", "distribution"}
    ),
    _Operation.SET_TRIAL_STATE_VALUES: frozenset({"trial_id", "state", "values"}),
    _Operation.SET_TRIAL_INTERMEDIATE_VALUE: frozenset({"trial_id", "step", "intermediate_value"}),
    _Operation.SET_TRIAL_USER_ATTR: frozenset({"trial_id", "user_attr"}),
    _Operation.SET_TRIAL_SYSTEM_ATTR: frozenset({"trial_id", "system_attr"}),
}
"""Operation -> keys that each of its lines has, besides its number and its writer's."""

_MORE_KEYS: Mapping[int, frozenset[str]] = {
    _Operation.CREATE_TRIAL: frozenset(
        {
            *("datetime_complete", "state", "value", "values", "distributions", "params"),
            *("user_attrs", "system_attrs", "intermediate_values"),
        }
    ),
    _Operation.SET_TRIAL_STATE_VALUES: frozenset({"datetime_start", "datetime_complete"}),
}
"""Operation -> keys that its lines may have."""

_LIGHT = frozenset({_Operation.SET_TRIAL_INTERMEDIATE_VALUE, _Operation.SET_TRIAL_USER_ATTR})


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

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yields operations; raises a `JournalFormError` at the first of an unknown form."""
        for log in super().read_logs(log_number_from):
            # Here and not in a pass of its own, since the journal of a long study is large.
            check_form(log)
            yield log

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


def check_form(log: object) -> None:
    """Refuses an operation that is not of the known form.

    Raises:
        JournalFormError: It is not.
    """
    if not isinstance(log, dict) or log.get("op_code") not in _KEYS:
        raise JournalFormError(f"no operation of this kind is known: {str(log)[:80]}")
    operation = _Operation(log["op_code"])
    keys = log.keys() - {"op_code", "worker_id"}
    if missing := _KEYS[operation] - keys:
        raise JournalFormError(f"{operation.name} has no {', '.join(sorted(missing))}")
    # Not passed over: what another Optuna adds may change what the known keys mean.
    if unknown := keys - _KEYS[operation] - _MORE_KEYS.get(operation, frozenset()):
        raise JournalFormError(f"{operation.name} has {', '.join(sorted(unknown))}")


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
    if [optuna.Trial(found, one).number for one in interrupted_trials(found)] != [3]:
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

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return self.logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        for log in logs:
            check_form(log)
            # Through text, as in a file: tuples become lists, and integer keys of dicts become
            # text.
            self.logs.append(json.loads(json.dumps(log)))


def interrupted_trials(study: optuna.Study) -> list[int]:
    """Returns Optuna's ids of the trials that were running when their driver ended, in order.

    `optuna.Trial(study, id)` goes on with one. Making it draws from the study's sampler, so it is
    made when its turn comes and not before.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [trial._trial_id for trial in running]
