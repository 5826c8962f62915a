"""The Optuna journal of a study: the truth about its trials, opened to go on or only to look."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import JournalStorage

from mtl_core.errors import ConfigError
from tuning.search._optuna import Journal, JournalFormError, rehearse

LOCK_SECONDS = 5
"""A lock older than this was left by a killed driver; writing takes milliseconds."""


def open_optuna(path: Path, *, name: str, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """Opens the Optuna study in the journal `path`, or makes it; one process at a time writes it.

    Args:
        path: The journal file.
        name: Name of a new study; one that is there keeps its own, also in a renamed folder.
        sampler: Chooses the points.

    Raises:
        ConfigError: Optuna's journal has not the form that is known; nothing was written.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _telling_of_another_form(path):
        rehearse()
        storage = JournalStorage(Journal(path, lock_seconds=LOCK_SECONDS))
    # Only now, when all that is there was read and known.
    _drop_unfinished_line(path)
    if studies := storage.get_all_studies():
        return optuna.load_study(storage=storage, sampler=sampler, study_name=studies[0].study_name)
    return optuna.create_study(
        storage=storage, sampler=sampler, study_name=name, direction="maximize"
    )


def read_optuna(path: Path) -> optuna.Study:
    """Opens the Optuna study in the journal `path` to look at it: nothing is written or locked.

    Raises:
        ConfigError: The journal holds no study yet, or has not the form that is known.
    """
    storage = None
    if path.is_file():
        with _telling_of_another_form(path):
            storage = JournalStorage(Journal(path, lock_seconds=LOCK_SECONDS))
    studies = storage.get_all_studies() if storage is not None else []
    if storage is None or not studies:
        raise ConfigError(f"{path.parent}: no trial was begun in this study folder")
    return optuna.load_study(storage=storage, study_name=studies[0].study_name)


@contextmanager
def _telling_of_another_form(path: Path) -> Iterator[None]:
    try:
        yield
    except JournalFormError as error:
        raise ConfigError(
            f"{path}: the journal of Optuna {optuna.__version__} has another form than the known "
            f"one ({error}), so nothing was written; install the Optuna that wrote it, of 5.0 "
            "or later and below 6"
        ) from error


def _drop_unfinished_line(path: Path) -> None:
    """Cuts what a driver was killed in the middle of writing; Optuna would refuse the journal."""
    content = path.read_bytes()
    finished = content.rfind(b"\n") + 1
    if finished < len(content):
        with path.open("r+b") as journal:
            journal.truncate(finished)
