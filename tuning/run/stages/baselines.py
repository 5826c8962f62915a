"""The stage of the baselines: each task alone, as a study of its own on the same trainers."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Protocol

from mtl_core.errors import NoScoreError, NotReadyError
from tuning.run.company import Company
from tuning.study.clock import StudyClock
from tuning.study.companions import AloneStudy
from tuning.study.compared import Side, compared, side_of
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baselines
from tuning.study.history import History
from tuning.study.measured import read_measured, write_measured
from tuning.study.result import Result, read_result
from tuning.trainers.trainers import Trainers
from tuning.watch.file_watchers import file_watchers
from tuning.watch.relay import Relay
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher, Watchers

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How long to wait until it is looked again whether another process has left a study."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Who works on a study, and who is told of it.

    Attributes:
        trainers: Work on its runs.
        count: How many they are.
        watcher: Told what happens.
        is_verbose: Whether to show what Tune logs.
    """

    trainers: Trainers
    count: int
    watcher: Watcher
    is_verbose: bool = False


class AloneSession(Protocol):
    """A session of the study of a task alone."""

    study: StudyFile
    history: History

    def work(self, crew: Crew) -> object:
        """Does what is left, on trainers that others use as well."""

    def close(self) -> None:
        """Ends the session."""


Begin = Callable[[AloneStudy, StudyFolder], AloneSession]


class BaselineStage:
    """Runs the studies of tasks alone that a study asks for, and compares it with them."""

    def __init__(
        self,
        study: StudyFile,
        folder: StudyFolder,
        company: Company,
        clock: StudyClock,
        begin: Begin,
    ) -> None:
        """Makes that of a session.

        Args:
            study: The study.
            folder: Its folder, open.
            company: Its studies of tasks alone.
            clock: Of the study, which counts no time of theirs.
            begin: Begins a session of one of them, in its open folder.
        """
        self._study = study
        self._folder = folder
        self._alone = company.alone
        self._most_runs = company.most_at_a_time
        self._clock = clock
        self._begin = begin

    @property
    def is_first(self) -> bool:
        """Whether trials cannot be compared before it is over."""
        unmeasured = self._study.study.objective.unmeasured(self._study.counted_tasks)
        return bool(unmeasured) and not read_measured(self._folder)

    def left(self, before: Result) -> int:
        """Returns how many runs there may be at a time; 0 = all is known.

        Args:
            before: The result of the study so far.
        """
        known = {task: one.folder for task, one in (before.baselines or {}).items()}
        return 0 if known == {one.task: one.place for one in self._alone} else self._most_runs

    def run(self, crew: Crew) -> None:
        """Does what is left of the studies; what is there is not done again.

        Those that another process runs come last, and are waited for: they are then there.

        Args:
            crew: Works on them.

        Raises:
            MtlError: One cannot go on. That no trial of one reached a score ends only that one.
        """
        left, told = list(self._alone), ""
        if not left:
            return
        with self._clock.away():
            while left:
                busy = [one for one in left if not _run(one, self._begin, crew)]
                if len(busy) == len(left):
                    tasks = ", ".join(one.task for one in busy)
                    if tasks != told:
                        crew.watcher.stage(f"waiting for another study that trains {tasks} alone")
                    told = tasks
                    crew.trainers.check()
                    time.sleep(_LOOK_SECONDS)
                left = busy

    def measure(self, crew: Crew) -> Mapping[str, float]:
        """Runs them, and keeps what the objective is relative to: task -> main score on dev.

        Args:
            crew: Works on them.

        Raises:
            ConfigError: Of a task that learnt nothing alone no gain can be told.
            NoScoreError: No trial of one reached a score.
        """
        self.run(crew)
        sides = self._sides()
        if failed := [task for task, side in sides.items() if side is None]:
            raise NoScoreError(
                f"study.objective: {self._study.study.objective.kind} needs the score of "
                f"{', '.join(failed)} alone, and no trial reached one; see the reports in "
                f"{self._alone[0].study.study.storage}"
            )
        found = {task: side.mean_on_dev(task) for task, side in sides.items() if side is not None}
        self._study.study.objective.over(found)  # Refuses what it cannot be relative to.
        write_measured(self._folder, found)
        return found

    def gains(self, result: Result) -> Baselines | None:
        """Returns each task of the study beside the same task alone; None without baselines.

        Args:
            result: Of the study.
        """
        if not self._alone:
            return None
        # What was not searched alone is compared with what was not searched together.
        is_default = not self._study.study.baselines.are_searched
        together, sides = side_of(self._folder, result, is_default=is_default), self._sides()
        return {
            one.task: compared(one.place, one.task, sides[one.task], together)
            for one in self._alone
        }

    def _sides(self) -> dict[str, Side | None]:
        folders = {one.task: StudyFolder(one.study.folder) for one in self._alone}
        # A study of one recipe has that for its best.
        return {
            task: side_of(folder, read_result(folder), is_default=False)
            for task, folder in folders.items()
        }


def _run(one: AloneStudy, begin: Begin, crew: Crew) -> bool:
    """Runs a study; returns whether it is done, as no other process has it."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(StudyFolder.opened(one.study, one.inputs))
        except NotReadyError:
            return False
        session = stack.enter_context(closing(begin(one, folder)))
        # Closed before the session, as those of any study are.
        watching = stack.enter_context(closing(_watchers(session, folder, one, crew.watcher)))
        try:
            session.work(replace(crew, watcher=watching))
        except NoScoreError as error:
            logger.warning("the baseline of '%s' has no score: %s", one.task, error)
    return True


def _watchers(
    session: AloneSession, folder: StudyFolder, one: AloneStudy, watcher: Watcher
) -> Watchers:
    """Returns what keeps the files of the study, and tells the study that it belongs to."""
    state, goal = StudyState(one.study.study.name), session.history.goal
    files = file_watchers(folder.path, state, session.study.space.shown, session.history, goal)
    watching = Watchers([state, *files, Relay(watcher, one.name)])
    watching.aimed(goal)
    return watching
