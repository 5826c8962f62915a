"""`mtl status`: where a study stands, read from its folder alone; imports neither Ray nor torch."""

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtl_core.errors import ConfigError
from mtl_core.files import telling_what_is_broken
from mtl_core.scores import without_nan
from mtl_core.study_file import read_document
from tuning.records import TrialRecord
from tuning.study.folder import StudyFolder
from tuning.study.history import best_so_far, read_records
from tuning.study.journal import read_optuna
from tuning.watch.console import can_redraw, plain_console
from tuning.watch.state import Estimate
from tuning.watch.status_file import DriverStatus, read_driver
from tuning.watch.wording import clock, left, parameters, scores

_WATCH_SECONDS = 2.0

State = Literal["running", "interrupted", "complete", "failed"]
"""`interrupted` = no driver runs and trials are left; `failed` = no trial reached a score."""


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """Where a study stands.

    Attributes:
        folder: The study folder.
        state: See `State`.
        trials: Trials of the study.
        ended: Trials that ended.
        driver: What the last driver wrote; None when there was none.
        best: The best trial so far by dev, running ones included.
        go_on: The command that goes on with the study.
    """

    folder: Path
    state: State
    trials: int
    ended: int
    driver: DriverStatus | None
    best: TrialRecord | None
    go_on: str

    def to_json(self) -> str:
        """Returns the status as one JSON object."""
        best = self.best
        report = best.best if best is not None else None
        driver = self.driver
        content = {
            "folder": str(self.folder),
            "state": self.state,
            "trials": self.trials,
            "ended": self.ended,
            "stage": driver.stage if driver and driver.is_alive else None,
            "running": dict(driver.running) if driver and driver.is_alive else {},
            "seconds_left": driver.seconds_left if driver and driver.is_alive else None,
            "best": None
            if best is None or report is None
            else {
                "trial": best.id,
                "combined": report.combined,
                "parameters": best.parameters,
            },
            "go_on": self.go_on,
        }
        return json.dumps(without_nan(content))

    def lines(self) -> list[str]:
        """Returns the status as lines of text."""
        counts = f"{self.ended} of {self.trials} trials ended"
        lines = [f"{self.folder.name}: {self.state}, {counts}"]
        if self.state == "running" and self.driver is not None:
            lines += _driver_lines(self.driver)
        if self.best is not None and self.best.best is not None:
            lines.append(
                f"best so far: {self.best.id} combined {self.best.best.combined:.4f}  "
                f"{scores(self.best)}  {parameters(self.best)}"
            )
        if self.state == "interrupted":
            lines.append(f"no driver runs; go on with: {self.go_on}")
        elif self.state in ("complete", "failed"):
            lines.append(f"report: {self.folder / 'report.md'}")
        return lines


def read_status(path: Path) -> StudyStatus:
    """Reads where a study stands.

    Raises:
        ConfigError: It is no study folder, or a file in it cannot be read.
    """
    folder = StudyFolder(path)
    folder.check_is_study()
    with telling_what_is_broken(path):
        return _read(folder, path)


def _read(folder: StudyFolder, path: Path) -> StudyStatus:
    trials = _num_trials(folder)
    try:
        records = read_records(folder, read_optuna(folder.journal))
    except ConfigError:  # Its driver has not begun a trial yet.
        records = {}
    ended = sum(record.status != "running" for record in records.values())
    driver = read_driver(folder.status)
    return StudyStatus(
        folder=path,
        state=_state(folder, driver, trials=trials, ended=ended),
        trials=trials,
        ended=ended,
        driver=driver,
        best=best_so_far(records),
        go_on=command_to_go_on(path),
    )


def command_to_go_on(path: Path) -> str:
    """Returns the command that goes on with the study in a folder, wherever that was moved to."""
    study = _section(StudyFolder(path))
    words = ["mtl", "tune", str(path / "study.yaml")]
    here = path.resolve()
    if Path(str(study.get("storage", ""))) != here.parent:
        words += ["--set", f"study.storage={here.parent}"]
    if study.get("name") != here.name:
        words += ["--set", f"study.name={here.name}"]
    return shlex.join(words)


def _driver_lines(driver: DriverStatus) -> list[str]:
    estimate = (
        Estimate(driver.seconds_left, driver.is_bound) if driver.seconds_left is not None else None
    )
    facts = [f"process {driver.pid} on {driver.host} for {clock(driver.seconds)}: {driver.stage}"]
    facts += [left(estimate)] if estimate is not None else []
    lines = [", ".join(facts)]
    if driver.silent_seconds > 30:
        lines[0] += f", silent for {clock(driver.silent_seconds)}"
    return [*lines, *(f"  {trial} {text}" for trial, text in driver.running.items())]


def _state(folder: StudyFolder, driver: DriverStatus | None, *, trials: int, ended: int) -> State:
    if driver is not None and driver.is_alive:
        return "running"
    result = folder.read_result()
    counts = result.get("trials")
    # Of a study that went on to more trials, and not to its new result, there is an old one.
    is_old = not isinstance(counts, Mapping) or sum(counts.values()) < ended
    if ended < trials or is_old:
        return "interrupted"
    return "complete" if result.get("status") == "complete" else "failed"


def _num_trials(folder: StudyFolder) -> int:
    section = _section(folder)
    search = read_document(folder.study).data.get("search")
    return int(str(section.get("trials", 1))) if search else 1


def _section(folder: StudyFolder) -> Mapping[str, object]:
    """Returns the `study` section as it was written, without the schema: that imports torch."""
    folder.check_is_study()
    section = read_document(folder.study).data.get("study")
    if not isinstance(section, Mapping):
        raise ConfigError(f"{folder.study}: expected a section 'study'")
    return section


def show_status(path: Path, *, is_watching: bool, as_json: bool) -> None:
    """Prints where a study stands; once, or again and again until no driver runs any more.

    Raises:
        ConfigError: It is no study folder.
    """
    console = plain_console()
    shown: list[str] = []
    while True:
        status = read_status(path)
        lines = [status.to_json()] if as_json else status.lines()
        if is_watching and can_redraw(console) and not as_json:
            console.clear()
        elif lines == shown:
            lines = []
        for line in lines:
            console.print(line, soft_wrap=True)
        shown = lines or shown
        if not is_watching or status.state != "running":
            return
        time.sleep(_WATCH_SECONDS)
