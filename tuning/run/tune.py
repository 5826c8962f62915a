"""A study from start to end: what is checked before anything is written, and its session."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from mtl_core.assets import Data, inputs_of
from mtl_core.errors import StorageError
from mtl_core.full_disk import storage_error
from mtl_core.training.precision import advise
from tuning.cluster.connection import cluster
from tuning.cluster.planner import Node, plan_trainers, this_machine
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, data_facts
from tuning.study.folder import StudyFolder
from tuning.study.folder_check import check_folder
from tuning.study.knowing import known_of
from tuning.study.known import KnownFacts
from tuning.study.load import check_data, check_loggers, precision_here, tell_notes
from tuning.study.search_check import tell_doubts
from tuning.study.writable import check_writable
from tuning.watch.study_log import StudyLog
from tuning.watch.study_watchers import StudyWatchers
from tuning.watch.watcher import Watcher

if TYPE_CHECKING:
    from tuning.results.study_result import StudyResult
    from tuning.run.session import Session


def tune_study(
    study: StudyFile,
    *,
    watcher: Watcher | None = None,
    address: str | None = None,
    log: StudyLog | None = None,
    verbose: bool = False,
) -> "StudyResult":
    """Runs a study, or goes on with an interrupted one; a finished one is only shown.

    Args:
        study: What to run.
        watcher: Told what happens; see `tuning.Watcher`.
        address: A running Ray cluster; None = the one of `RAY_ADDRESS`, or one on this machine.
        log: Kept in the study folder; see `study_log`. None = there is no log.
        verbose: Shows what Ray and its processes say.

    Raises:
        MtlError: It cannot be run; nothing was written when the input is at fault.
        KeyboardInterrupt: After an orderly stop; the same call goes on.
    """
    start, machine = time.monotonic(), _checked_machine(study, address)
    say = (watching := StudyWatchers(study.study.name, watcher)).stage
    say("starting Ray and reading the data")
    with cluster(address, num_cpus=int(machine.cpus), verbose=verbose, tell=say) as connected:
        # Imports of seconds, while Ray's processes start on the other cores.
        from tuning.cluster.autoscaling import provided_trainers
        from tuning.run.company import company_of
        from tuning.run.session import Session

        data, facts = _checked_data(study, address)
        known, company = _told(known_of(study, facts), say), company_of(study)
        connected()  # Waits for Ray, and raises what kept it from starting.
        with (
            provided_trainers(study.study.resources, trials=company.most(study), tell=say) as count,
            StudyFolder.opened(study, inputs_of(study.run, data.datasets)) as folder,
            closing(watching),  # Left after the session, before the folder is unlocked.
            closing(Session(study, folder, facts, company, known=known, start=start)) as session,
        ):
            return _run(session, count, watching, log, verbose=verbose)


def _told(known: KnownFacts, tell: Callable[[str], None]) -> KnownFacts:
    for line in known.lines():
        tell(line)
    return known


def _run(
    session: "Session", count: int, watching: StudyWatchers, log: StudyLog | None, *, verbose: bool
) -> "StudyResult":
    from tuning.run.earlier_runs import earlier_runs
    from tuning.watch.file_watchers import file_watchers, logging_watchers

    folder, parameters = session.folder.path, session.study.space.shown
    if log is not None:
        log.keep_in(folder / "log.txt")
    goal = session.history.goal
    watching.aimed(goal)
    watching.add_files(file_watchers(folder, watching.state, parameters, session.history, goal))
    if loggers := session.study.study.loggers:
        before = earlier_runs(session.study, session.folder, session.history)
        watching.add_files(logging_watchers(folder, loggers, before))
    try:
        return session.run(count, watching, verbose=verbose)
    except Exception as error:
        full = storage_error(error)
        if full is None:
            raise
        raise StorageError(
            f"{full}; the trials are kept, and with room again the same command goes on"
        ) from error


def _checked_machine(study: StudyFile, address: str | None) -> Node:
    """Refuses what cannot be run, before Ray starts: seconds sooner, and the error stands alone."""
    machine = this_machine()
    check_loggers(study)
    # Without the lock, so it is looked at once more when the folder is opened.
    folder = StudyFolder(study.folder)
    check_writable(folder.path)
    folder.check_same(study)
    check_folder(folder)
    if is_local(address):
        plan_trainers(study.study.resources, [machine], trials=study.most_at_a_time)
    return machine


def _checked_data(study: StudyFile, address: str | None) -> tuple[Data, DataFacts]:
    """Reads the data into the cache, so that trainers only open it; refuses what cannot be used."""
    data = check_data(study)
    tell_notes(data)
    tell_doubts(study)
    if is_local(address) and (choice := precision_here(study)):
        advise(choice)  # What a trainer logs does not come to the user.
    return data, data_facts(study.run, data)


def is_local(address: str | None) -> bool:
    """Returns whether a study runs on a Ray of its own, since nothing names a cluster."""
    # Ray itself heeds the variable, so it has to be heeded here as well.
    return address is None and not os.environ.get("RAY_ADDRESS")
