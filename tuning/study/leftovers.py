"""What lies in the folder of a study, or of a run, and is not needed any more."""

import os
from collections.abc import Iterator
from pathlib import Path

from mtl_core.built import size_of
from mtl_core.leftovers import Leftover, parts_in
from tuning.study.finals import final_run_id
from tuning.study.folder import StudyFolder
from tuning.study.history import History, read_history
from tuning.study.journal import NotBegunError, read_optuna
from tuning.study.status import read_status

_CHECKPOINTS = "only with --checkpoints, of a complete study"


def in_folder(path: Path, *, with_checkpoints: bool = False) -> Iterator[Leftover]:
    """Yields what can go from a folder of `mtl tune` or `mtl train` that nobody works in.

    Results never do: reports, journal, tables, curves, the models.

    Args:
        path: The folder.
        with_checkpoints: Whether the weights of the best epochs go, too, when the study is
            complete; trials cannot be scored again then.

    Raises:
        ConfigError: It is another folder, or a file in it is broken.
    """
    checkpoint = path / "checkpoint"
    if checkpoint.is_dir():
        yield from (*parts_in(path), *parts_in(checkpoint))
        return
    folder = StudyFolder(path)
    folder.check_is_study()
    yield from parts_in(path)
    if folder.scratch.is_dir():
        yield Leftover("files of Ray that a kill left", folder.scratch, size_of(folder.scratch))
    try:
        history = read_history(folder, read_optuna(folder.journal), tell=lambda _: None)
    except NotBegunError:
        return
    yield from _of_trials(folder, history, with_checkpoints=with_checkpoints)


def _of_trials(
    folder: StudyFolder, history: History, *, with_checkpoints: bool
) -> Iterator[Leftover]:
    study = folder.read_study().study
    losers = {record.id for record in history.losers(study.keep_checkpoints)}
    is_complete = read_status(folder.path).state == "complete" and folder.best.is_dir()
    for record in history:
        checkpoint = folder.checkpoint(record.id)
        yield from (*parts_in(folder.run(record.id)), *parts_in(checkpoint))
        if not record.has_ended or not checkpoint.is_dir():
            continue
        state = folder.state(record.id)
        rest = size_of(checkpoint)
        if record.id in losers:
            yield Leftover("checkpoints that are not kept", checkpoint, rest)
            continue
        if os.path.lexists(state):
            size = size_of(state)
            rest -= size
            yield Leftover("states of optimisers of ended trials", state, size)
        stays = "" if with_checkpoints and is_complete else _CHECKPOINTS
        yield Leftover("weights of the best epochs of trials", checkpoint, rest, stays)
    yield from _of_finals(folder, is_over=with_checkpoints and is_complete)


def _of_finals(folder: StudyFolder, *, is_over: bool) -> Iterator[Leftover]:
    """Yields the checkpoints of the final stage, which keeps that of the model in best/."""
    stays = "" if is_over else _CHECKPOINTS
    for checkpoint in sorted(folder.path.glob(final_run_id("*", "*") + "/checkpoint")):
        yield from (*parts_in(checkpoint.parent), *parts_in(checkpoint))
        size = size_of(checkpoint)
        yield Leftover("weights of the best epochs of the final stage", checkpoint, size, stays)
