"""The Optuna journal of a study: the truth about its trials, opened to go on or only to look."""

import json
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.storages.journal._file import get_lock_file
from optuna.storages.journal._storage import JournalOperation

from mtl_core.errors import ConfigError

LOCK_SECONDS = 5
"""A lock older than this was left by a killed driver; writing takes milliseconds."""


def open_optuna(path: Path, *, name: str, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """Opens the Optuna study in the journal `path`, or makes it; one process at a time writes it.

    Args:
        path: The journal file.
        name: Name of a new study; one that is there keeps its own, also in a renamed folder.
        sampler: Chooses the points.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _drop_unfinished_line(path)
    lock = JournalFileSymlinkLock(str(path), grace_period=LOCK_SECONDS)
    storage = JournalStorage(_Journal(str(path), lock_obj=lock))
    if studies := storage.get_all_studies():
        return optuna.load_study(storage=storage, sampler=sampler, study_name=studies[0].study_name)
    return optuna.create_study(
        storage=storage, sampler=sampler, study_name=name, direction="maximize"
    )


def read_optuna(path: Path) -> optuna.Study:
    """Opens the Optuna study in the journal `path` to look at it: nothing is written or locked.

    Raises:
        ConfigError: The journal holds no study yet.
    """
    storage = JournalStorage(JournalFileBackend(str(path))) if path.is_file() else None
    studies = storage.get_all_studies() if storage is not None else []
    if storage is None or not studies:
        raise ConfigError(f"{path.parent}: no trial was begun in this study folder")
    return optuna.load_study(storage=storage, study_name=studies[0].study_name)


class _Journal(JournalFileBackend):
    """A journal whose reports reach the disk with the next point or outcome, not one by one.

    A killed driver loses nothing by it, and after a power cut the reports are still in the trials'
    folders; waiting for the disk at every report would keep a driver of hundreds of trainers busy.
    """

    _LIGHT = frozenset(
        {
            JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE,
            JournalOperation.SET_TRIAL_USER_ATTR,
        }
    )

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Writes operations, and waits for the disk when one of them is of weight."""
        if any(log["op_code"] not in self._LIGHT for log in logs):
            super().append_logs(logs)
            return
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with get_lock_file(self._lock), Path(self._file_path).open("ab") as journal:
            journal.write(lines.encode())


def _drop_unfinished_line(path: Path) -> None:
    """Cuts what a driver was killed in the middle of writing; Optuna would refuse the journal."""
    if path.exists():
        content = path.read_bytes()
        finished = content.rfind(b"\n") + 1
        if finished < len(content):
            with path.open("r+b") as journal:
                journal.truncate(finished)
