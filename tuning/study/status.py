"""Where a study stands, read from its folder alone; imports neither Ray nor torch."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtl_core.errors import ConfigError
from mtl_core.study_file import describe, read_document
from tuning.records import TrialRecord
from tuning.study.agreement import check_ended, read_journal
from tuning.study.ending import baselines_asked, is_searched, runs_of
from tuning.study.facts import read_facts
from tuning.study.finals import FinalRecipe
from tuning.study.folder import StudyFolder
from tuning.study.history import History, read_history
from tuning.study.journal import NotBegunError
from tuning.study.result import Result, check_named, read_result
from tuning.watch.status_file import DriverStatus, read_driver

State = Literal["running", "interrupted", "complete", "failed"]
"""`interrupted` = no driver runs and work is left; `failed` = no trial reached a score."""


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """Where a study stands.

    Attributes:
        folder: The study folder.
        state: See `State`.
        trials: Trials of the study.
        paused: Run ids of the trials that wait in a study that runs.
        driver: What the last driver wrote; None when there was none.
        history: Its trials.
        runs: Runs of its final stage, once the search is over; none without that stage.
        go_on: The command that goes on with the study.
    """

    folder: Path
    state: State
    trials: int
    paused: Sequence[str]
    driver: DriverStatus | None
    history: History
    runs: Sequence[TrialRecord]
    go_on: str

    @property
    def ended(self) -> int:
        """Trials that ended."""
        return len(self.history.ended)

    @property
    def best(self) -> TrialRecord | None:
        """The best trial so far by dev, running ones included."""
        return self.history.best_so_far

    @property
    def front(self) -> Sequence[TrialRecord]:
        """The trials so far that no other beats in all objectives; none with one objective."""
        return self.history.goal.front(self.history)


def read_status(path: Path) -> StudyStatus:
    """Reads where a study stands; safe while a driver writes into the folder.

    Raises:
        ConfigError: It is no study folder, or a file in it cannot be read.
    """
    folder = StudyFolder(path)
    folder.check_is_study()
    # Before the journal: a driver may end a trial and write a result meanwhile.
    result = read_result(folder)
    return status_of(folder, _history(folder), result)


def _history(folder: StudyFolder) -> History:
    # The study file is written before the journal: for a moment there is one without the other.
    try:
        # A study from before there were several objectives has no facts, or none of its goal.
        goal = read_facts(folder).goal if folder.facts.exists() else None
        return read_history(folder, read_journal(folder), goal=goal)
    except NotBegunError:
        return History()


def status_of(folder: StudyFolder, history: History, result: Result) -> StudyStatus:
    """Returns where a study stands whose trials have been read.

    Raises:
        ConfigError: Its study file cannot be read, or a file in the folder is broken.
    """
    trials = _num_trials(folder)
    check_ended(folder, result.trials, len(history.ended))
    check_named(folder, result, history)
    runs = runs_of(folder, history) if is_searched(folder, result, history, trials) else ()
    driver = read_driver(folder.status)
    # The journal does not tell them from those that run. One that was just drawn has no report.
    at_work = driver.running if driver is not None else {}
    waiting = [r.id for r in history if r.reports and not r.has_ended and r.id not in at_work]
    return StudyStatus(
        folder=folder.path,
        state=_state(folder, result, driver, history, trials, runs),
        trials=trials,
        paused=waiting if driver is not None and driver.is_alive else (),
        driver=driver,
        history=history,
        runs=runs,
        go_on=command_to_go_on(folder.path),
    )


def command_to_go_on(path: Path) -> str:
    """Returns the command that goes on with the study in a folder, wherever that was moved to.

    It works from any folder: it may be read in a report, or in a log.
    """
    study = _section(StudyFolder(path))
    # Storage and name in the file say where the folder was made. Without the overrides, a study
    # that was moved would begin anew in the old place.
    words = ["mtl", "tune", str(path.absolute() / "study.yaml")]
    here = path.resolve()
    if Path(str(study.get("storage", ""))) != here.parent:
        words += ["--set", f"study.storage={here.parent}"]
    if study.get("name") != here.name:
        words += ["--set", f"study.name={here.name}"]
    return shlex.join(words)


def _state(
    folder: StudyFolder,
    result: Result,
    driver: DriverStatus | None,
    history: History,
    trials: int,
    runs: Sequence[TrialRecord],
) -> State:
    # The driver is asked first: while it lives, an old result says nothing of what it does.
    if driver is not None and driver.is_alive:
        return "running"
    # A study may have gone on to more trials and ended before it wrote its new result: the one
    # that is there knows of fewer trials than have ended.
    ended = len(history.ended)
    is_old = not result.trials or sum(result.trials.values()) < ended
    if is_old or not is_searched(folder, result, history, trials):
        return "interrupted"
    # Nor does it know of a final stage, or of baselines, that were asked for since.
    known = {run.run for recipe in _recipes(result) for run in recipe.seeds}
    known |= {run for recipe in _recipes(result) for run in recipe.failed}
    if not known >= {run.id for run in runs}:
        return "interrupted"
    if result.baselines is None and baselines_asked(folder):
        return "interrupted"
    return "complete" if result.status == "complete" else "failed"


def _recipes(result: Result) -> Sequence[FinalRecipe]:
    return result.finals.recipes if result.finals is not None else ()


def _num_trials(folder: StudyFolder) -> int:
    # As `StudyFile.trials` has it, which cannot be imported here. `trials` is in the file always:
    # the driver writes it resolved.
    trials = _section(folder).get("trials", 1)
    if not isinstance(trials, int):
        raise ConfigError(
            f"{folder.study}: study.trials: expected a whole number, found {describe(trials)}"
        )
    return trials if read_document(folder.study).data.get("search") else 1


def _section(folder: StudyFolder) -> Mapping[str, object]:
    """Returns the `study` section as it was written, without the schema: that imports torch."""
    folder.check_is_study()
    section = read_document(folder.study).data.get("study")
    if not isinstance(section, Mapping):
        raise ConfigError(f"{folder.study}: expected a section 'study'")
    return section
