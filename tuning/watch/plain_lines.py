"""Lines for where there is no terminal: each stage, each ended trial, and a sign of life."""

import threading
import time
from collections.abc import Sequence

from rich.console import Console

from tuning.records import TrialRecord
from tuning.watch.state import Snapshot, StudyState
from tuning.watch.watcher import Watcher
from tuning.watch.wording import clock, left, outcome, standing, trainers, work

QUIET_SECONDS = 30.0
"""Seconds without a line after which one says what is going on."""

_LONG_SECONDS = 2 * 3600.0
"""An estimate that is worth a warning: most people are at their desk to see a study end."""

_SHOWN = 4
"""Running trials in a line."""


class PlainLines(Watcher):
    """Prints a line for what happens; `tick` is to be called about once a second, by any thread."""

    def __init__(self, state: StudyState, console: Console) -> None:
        """Shows a study as lines.

        Args:
            state: What is known of it; has to be told of everything before this display.
            console: Where the lines go.
        """
        self._state = state
        self._console = console
        # The study's thread and the ticker's both print.
        self._lock = threading.Lock()
        self._printed = time.monotonic()
        self._shown_stage = ""
        self._is_estimated = False
        self._runs: set[str] = set()
        self._runs_ended: set[str] = set()

    def stage(self, text: str) -> None:
        """Prints the stage; repeated ones once."""
        # While nodes are waited for, the same stage is told every two seconds.
        if text != self._shown_stage:
            self._shown_stage = text
            self._print(f"{self._state.snapshot().name}: {text}")

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Prints the size of the search."""
        done = f" ({len(ended)} of them ended before)" if ended else ""
        self.stage(f"searching: {trials} trials{done}, {trainers} at a time")

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Notes the runs of a stage."""
        self._runs, self._runs_ended = set(run_ids), {record.id for record in ended}

    def paused(self, record: TrialRecord) -> None:
        """Prints how far a trial came."""
        self.ended(record)

    def ended(self, record: TrialRecord) -> None:
        """Prints how a run ended."""
        now = self._state.snapshot()
        ended, count = now.ended, now.trials
        if not record.is_trial:
            self._runs_ended.add(record.id)
            ended, count = len(self._runs_ended), len(self._runs)
        rest = f"  {left(now.estimate)}" if now.estimate and ended < count else ""
        self._print(f"[{ended}/{count}] {outcome(record)}{rest}")

    def tick(self) -> None:
        """Prints the first estimate, and what goes on after `QUIET_SECONDS` without a line."""
        now = self._state.snapshot()
        # Once: later estimates come with the lines of ended trials and the signs of life.
        if now.estimate is not None and not self._is_estimated:
            self._is_estimated = True
            self._print(f"{now.name}: {left(now.estimate)}, by the speed of the first steps")
            if now.estimate.seconds > _LONG_SECONDS:
                self._print(long_warning(now))
        elif time.monotonic() - self._printed >= QUIET_SECONDS:
            self._print(sign_of_life(now))

    def _print(self, text: str) -> None:
        with self._lock:
            self._printed = time.monotonic()
            # Unwrapped: a file or a log has no width, and a line is searched as a whole.
            self._console.print(text, soft_wrap=True)


def sign_of_life(now: Snapshot) -> str:
    """Returns a line with the clock and what is going on."""
    parts = [f"[{clock(now.seconds)}] {now.name}: {now.stage}"]
    if now.trials:
        parts[0] += f" {now.ended}/{now.trials}"
        parts += [
            f"{record.id} {work(record, now.status_of(record), now.epochs)}"
            for record in now.running[:_SHOWN]
        ]
        if len(now.running) > _SHOWN:
            parts.append(f"{len(now.running) - _SHOWN} more trials")
        if now.best is not None and now.best.best is not None:
            parts.append(f"best {now.best.id} {standing(now.best, now.goal, now.front)}")
    parts += [trainers(now), left(now.estimate)]
    return "; ".join(part for part in parts if part)


def long_warning(now: Snapshot) -> str:
    """Returns what to do about a study that takes hours."""
    assert now.estimate is not None
    return (
        f"{now.name}: this may take {now.estimate.seconds / 3600:.1f} hours; Ctrl-C stops it, and "
        "the same command goes on. Fewer trials: --set study.trials=N; shorter ones: "
        "--set training.epochs=N"
    )
