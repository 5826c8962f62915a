"""What `mtl status` prints: where a study stands, once or again and again."""

import json
import time
from pathlib import Path

from mtl_core.scores import only_finite
from tuning.study.status import StudyStatus, read_status
from tuning.watch.console import can_redraw, plain_console
from tuning.watch.status_file import DriverStatus
from tuning.watch.wording import clock, left, parameters, told_scores

_WATCH_SECONDS = 2.0
"""Between looks; a driver writes its status as often."""


def show_status(path: Path, *, is_watching: bool, as_json: bool) -> None:
    """Prints where a study stands; once, or again and again until no driver runs any more.

    Raises:
        ConfigError: It is no study folder.
    """
    console = plain_console()
    shown: list[str] = []
    while True:
        # All of the folder anew: trials come from the journal, what runs from the driver's file.
        status = read_status(path)
        lines = [_as_json(status)] if as_json else _lines(status)
        if is_watching and can_redraw(console) and not as_json:
            console.clear()
        # Into a file or a pipe, and as JSON: nothing is redrawn, and only news are written.
        elif lines == shown:
            lines = []
        for line in lines:
            console.print(line, soft_wrap=True)
        shown = lines or shown
        if not is_watching or status.state != "running":
            return
        time.sleep(_WATCH_SECONDS)


def _as_json(status: StudyStatus) -> str:
    """Returns the status as one JSON object."""
    best = status.best
    report = best.best if best is not None else None
    # What a dead driver wrote last is no longer so.
    driver = status.driver if status.driver is not None and status.driver.is_alive else None
    content = {
        "folder": str(status.folder),
        "state": status.state,
        "trials": status.trials,
        "ended": status.ended,
        "runs": len(status.runs),
        "runs_ended": sum(run.has_ended for run in status.runs),
        "stage": driver.stage if driver else None,
        "running": dict(driver.running) if driver else {},
        "paused": list(status.paused),
        "seconds_left": driver.estimate.seconds if driver and driver.estimate else None,
        "best": None
        if best is None or report is None
        else {
            "trial": best.id,
            "combined": report.combined,
            "parameters": best.parameters,
        },
        "front": [record.id for record in status.front],
        "go_on": status.go_on,
    }
    return json.dumps(only_finite(content), allow_nan=False)


def _lines(status: StudyStatus) -> list[str]:
    """Returns the status as lines of text."""
    counts = f"{status.ended} of {status.trials} trials ended"
    lines = [f"{status.folder.name}: {status.state}, {counts}"]
    if status.state == "running" and status.driver is not None:
        lines += _driver_lines(status.driver)
    if status.runs:
        ended = sum(run.has_ended for run in status.runs)
        lines.append(f"final stage: {ended} of {len(status.runs)} runs ended")
    if status.paused:
        lines.append(f"  paused: {', '.join(status.paused)}")
    if status.best is not None and status.best.best is not None:
        score = f"combined {status.best.best.combined:.4f}"
        told = told_scores(status.best, status.history.goal)
        lines.append(f"best so far: {status.best.id} {score}  {told}  {parameters(status.best)}")
    if status.front:
        lines.append(f"front so far: {', '.join(record.id for record in status.front)}")
    if status.state == "interrupted":
        lines.append(f"no driver runs; go on with: {status.go_on}")
    elif status.state in ("complete", "failed"):
        lines.append(f"report: {status.folder / 'report.md'}")
    return lines


def _driver_lines(driver: DriverStatus) -> list[str]:
    facts = [f"process {driver.pid} on {driver.host} for {clock(driver.seconds)}: {driver.stage}"]
    facts += [left(driver.estimate)] if driver.estimate is not None else []
    lines = [", ".join(facts)]
    # It writes every two seconds: alive and silent, it may be stopped, or its disk full.
    if driver.silent_seconds > 30:
        lines[0] += f", silent for {clock(driver.silent_seconds)}"
    return [*lines, *(f"  {trial} {text}" for trial, text in driver.running.items())]
