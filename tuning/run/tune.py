"""A study from start to end: what is checked before anything is written, and its session."""

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

from mtl_core.assets import Data, inputs_of
from mtl_core.training.precision import advise
from tuning.cluster.connection import cluster
from tuning.cluster.planner import Node, plan_trainers, this_machine
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.load import check_data, precision_here
from tuning.watch.study_watchers import StudyWatchers
from tuning.watch.watcher import Watcher

if TYPE_CHECKING:
    from tuning.study.result import StudyResult


def tune_study(
    study: StudyFile,
    *,
    watcher: Watcher | None = None,
    address: str | None = None,
    verbose: bool = False,
) -> "StudyResult":
    """Runs a study, or goes on with one that was interrupted; a finished one is only shown.

    Args:
        study: The study.
        watcher: Told what happens; see `tuning.Watcher`.
        address: A running Ray cluster; None = the one of `RAY_ADDRESS`, or one on this machine.
        verbose: Shows what Ray logs.

    Raises:
        MtlError: The study cannot be run; nothing was written when the input is at fault.
        KeyboardInterrupt: After an orderly stop; the same call goes on.
    """
    start = time.monotonic()
    watching, machine = StudyWatchers(study.study.name, watcher), this_machine()
    _check_folder_and_trainers(study, machine, address)
    watching.stage("starting Ray and reading the data")
    with cluster(
        address, num_cpus=int(machine.cpus), verbose=verbose, tell=watching.stage
    ) as connected:
        # Imports of seconds, while Ray's processes start on the other cores.
        from tuning.cluster.autoscaling import provided_trainers
        from tuning.run.session import Session

        data, resources = _checked_data(study, address), study.study.resources
        connected()
        with (
            provided_trainers(resources, trials=study.trials, tell=watching.stage) as count,
            StudyFolder.opened(study, inputs_of(study.run, data.datasets)) as folder,
            closing(watching),
            closing(Session(study, folder, start=start)) as session,
        ):
            watching.open_files(folder.path, study.space.parameters, session.history)
            return session.run(count, watching, verbose=verbose)


def _check_folder_and_trainers(study: StudyFile, machine: Node, address: str | None) -> None:
    """Refuses what cannot be run before Ray starts: seconds sooner, and the error stands alone."""
    StudyFolder(study.folder).check_writable()
    StudyFolder(study.folder).check_same(study)
    if is_local(address):
        plan_trainers(study.study.resources, [machine], trials=study.trials)


def _checked_data(study: StudyFile, address: str | None) -> Data:
    data = check_data(study)
    if is_local(address) and (choice := precision_here(study)):
        advise(choice)  # What a trainer logs does not come to the user.
    return data


def is_local(address: str | None) -> bool:
    """Returns whether a study without further word runs on a Ray of its own."""
    return address is None and not os.environ.get("RAY_ADDRESS")
