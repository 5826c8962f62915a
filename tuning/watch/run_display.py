"""The display of `mtl train`: a line for each report, and steps within it on a terminal."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mtl_core.training import progress as training
from tuning.watch.console import can_redraw, plain_console
from tuning.watch.plain_lines import QUIET_SECONDS
from tuning.watch.ticker import Ticker
from tuning.watch.wording import clock

logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0


class RunDisplay:
    """What one run shows: lines that stay, and a bar on a terminal or a clock elsewhere.

    `stage` comes before and after the training, `step` and `line` during it.
    """

    def __init__(self, name: str, console: Console, bar: Progress | None, *, is_quiet: bool):
        """Shows the run `name`; without a bar, `tick` is to be called about once a second."""
        self._name = name
        self._console = console
        self._bar = bar  # None when the output cannot be redrawn.
        self._is_quiet = is_quiet
        self._task = bar.add_task("", total=None) if bar is not None else None
        self._start = self._printed = time.monotonic()
        self._what = ""

    def stage(self, text: str) -> None:
        """Shows what goes on before and after the training."""
        logger.info("%s", text)
        self._what = text
        if self._bar is not None:
            assert self._task is not None
            self._bar.update(self._task, description=text)
        elif not self._is_quiet:
            self._print(f"{self._name}: {text}")

    def line(self, text: str) -> None:
        """Prints a line that stays."""
        logger.info("%s", text)
        if not self._is_quiet:
            self._print(text)

    def result(self, text: str) -> None:
        """Prints what came of the run, also where no progress is shown."""
        logger.info("%s", text)
        self._print(text)

    def step(self, progress: training.Progress) -> None:
        """Shows a step; see `mtl_core.train`."""
        speed = progress.sentences_per_second
        pace = f" {speed:.0f} sentences/s" if speed is not None else ""
        self._what = f"epoch {progress.epoch}/{progress.epochs}" + (
            f" step {progress.step}/{progress.steps}{pace}"
            if progress.phase == "training"
            else f" {progress.phase}"
        )
        if self._bar is not None:
            assert self._task is not None
            # Over the whole run: a bar per epoch would begin anew and tell no time to the end.
            done = (progress.epoch - 1) * progress.steps + progress.step
            total = progress.epochs * progress.steps
            self._bar.update(self._task, description=self._what, completed=done, total=total)

    def tick(self) -> None:
        """Prints a clock and what goes on, when nothing was printed for long."""
        if not self._is_quiet and time.monotonic() - self._printed >= QUIET_SECONDS:
            self._print(f"[{clock(time.monotonic() - self._start)}] {self._name}: {self._what}")

    def _print(self, text: str) -> None:
        self._printed = time.monotonic()
        self._console.print(text, soft_wrap=True)


@contextmanager
def run_display(name: str, *, is_quiet: bool = False) -> Iterator[RunDisplay]:
    """Shows a run as long as the context lasts, on standard output."""
    console = plain_console()
    if can_redraw(console) and not is_quiet:
        # `line` prints on the same console, so that Rich puts its lines above the bar.
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True, expand=True) as bar:
            yield RunDisplay(name, console, bar, is_quiet=False)
        return
    # Training keeps the main thread for minutes; the ticker's thread tells that it goes on.
    display = RunDisplay(name, console, None, is_quiet=is_quiet)
    with Ticker(_TICK_SECONDS, display.tick):
        yield display
