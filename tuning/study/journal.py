"""The Optuna journal of a study: the truth about its trials, opened to go on or only to look."""

import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.storages import JournalStorage

from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.kept import BrokenError
from mtl_core.plain_file import is_plain
from mtl_core.printable import one_line
from tuning.records import run_id_of
from tuning.search._optuna import Journal, rehearse
from tuning.search.journal_state import JournalFormError
from tuning.search.told import told_in

LOCK_SECONDS = 5
"""A lock older than this was left by a killed driver; writing takes milliseconds."""
REMEDY = (
    "nothing was changed; put it back from a copy, or begin the study anew under another name: "
    "--set study.name=NAME"
)
"""What to do about a broken journal."""


class NotBegunError(NotReadyError):
    """There is no journal in a study folder yet, or no study in it."""


def open_optuna(
    path: Path,
    *,
    name: str,
    sampler: optuna.samplers.BaseSampler,
    objectives: Sequence[str] = (),
) -> optuna.Study:
    """Opens the Optuna study in the journal `path`, or makes it; one process at a time writes it.

    Args:
        path: The journal file.
        name: Name of a new study; one that is there keeps its own, also in a renamed folder.
        sampler: Chooses the points.
        objectives: Names of the values of a trial, all to be maximised; none = one without a name.

    Raises:
        ConfigError: Optuna's journal has not the form that is known; nothing was written.
    """
    # At INFO Optuna writes lines of its own to stderr, across a live display.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        rehearse()
    except JournalFormError as error:
        raise ConfigError(
            f"{path}: Optuna {optuna.__version__} writes its journal in another form than the one "
            f"of Optuna 5.0 that is known ({error}), so nothing was written; install optuna 5.0"
        ) from error
    _check_plain(path)
    storage = _storage(path)
    # Only now, when all that is there was read and known: a journal of another form stays whole.
    _drop_unfinished_line(path)
    _drop_left_locks(path)
    return _study_in(storage, name, sampler, objectives)


def _study_in(
    storage: JournalStorage,
    name: str,
    sampler: optuna.samplers.BaseSampler,
    objectives: Sequence[str],
) -> optuna.Study:
    """Returns the study of a journal, which has one; a new one where there is none."""
    # By the name that is there, since a folder may have been renamed.
    if studies := storage.get_all_studies():
        study = optuna.load_study(
            storage=storage, sampler=sampler, study_name=studies[0].study_name
        )
    else:
        directions = [optuna.study.StudyDirection.MAXIMIZE] * max(1, len(objectives))
        study = optuna.create_study(
            storage=storage, sampler=sampler, study_name=name, directions=directions
        )
    # Also where a kill came between the two: plots of Optuna and its dashboard show these names.
    if len(objectives) > 1 and study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(objectives))
    return study


def read_optuna(path: Path) -> optuna.Study:
    """Opens the Optuna study in the journal `path` to look at it: nothing is written or locked.

    Raises:
        NotBegunError: The journal holds no study yet.
        ConfigError: It has not the form that is known.
    """
    # Asked first: the storage makes the file where there is none, and a look writes nothing.
    storage = _storage(path) if _check_plain(path) else None
    studies = storage.get_all_studies() if storage is not None else []
    if storage is None or not studies:
        raise NotBegunError(f"{path.parent}: no trial was begun in this study folder")
    return optuna.load_study(storage=storage, study_name=studies[0].study_name)


def read_order(path: Path) -> list[tuple[str, int]]:
    """Returns (run id, number) of the reports that the journal `path` was told of, in order."""
    with path.open("rb") as journal:
        told = [told_in(line) for line in journal if line.endswith(b"\n")]
    # One study per journal, so Optuna's ids of trials are their numbers.
    return [(run_id_of(one[0]), one[1]) for one in told if one is not None]


def _check_plain(path: Path) -> bool:
    """Returns whether the journal is there; refuses what is no file in its place."""
    try:
        return is_plain(path)
    except ConfigError as error:
        raise BrokenError(f"{error}; {REMEDY}") from error


def _storage(path: Path) -> JournalStorage:
    """Returns the storage on a journal; making it reads all lines, and checks each."""
    journal = Journal(path, lock_seconds=LOCK_SECONDS)
    try:
        return JournalStorage(journal)
    except JournalFormError as error:
        wrong = f"a file of the study is broken: {one_line(str(error))}"
        raise BrokenError(f"{path}:{journal.line}: {wrong}; {REMEDY}") from error
    except OSError as error:
        raise BrokenError(f"{path}: cannot be read: {error.strerror}; {REMEDY}") from error


def _drop_unfinished_line(path: Path) -> None:
    """Cuts off what a driver was killed in the middle of writing.

    Optuna passes over a last line without an end, but the next line would be joined on to it, and
    then it refuses the whole journal.
    """
    content = path.read_bytes()
    finished = content.rfind(b"\n") + 1
    if finished < len(content):
        # In place: if this is cut short as well, nothing but the broken end is lost.
        with path.open("r+b") as journal:
            journal.truncate(finished)


def _drop_left_locks(path: Path) -> None:
    """Removes the locks that a driver left which was killed as it wrote.

    Else the next one waits for them, and Optuna warns of it across a live display. One killed as it
    gave a lock back leaves it under another name, for good. Young ones stay: other programs, such
    as a dashboard, write as well.
    """
    for lock in path.parent.glob(f"{path.name}.lock*"):
        with suppress(FileNotFoundError):
            if time.time() - lock.lstat().st_mtime > LOCK_SECONDS:
                lock.unlink()
