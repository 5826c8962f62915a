"""The live table of `mtl tune`; without a terminal, a line per stage and per ended trial."""

import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuning.console import plain_console
from tuning.records import TrialRecord, rank

_SHOWN = 5
"""Ended trials in the table: the best so far."""


class LiveTable:
    """An `Observer` on the terminal."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        self._name = name
        self._console = console or plain_console()
        self._start = time.monotonic()
        self._search_start = self._start
        self._stage = ""
        self._trials = self._ended_before = self._epochs = self._trainers = 0
        self._records: dict[int, TrialRecord] = {}
        self._num_ended = 0
        # Last: it renders at once.
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=2,
            transient=True,
        )

    def __enter__(self) -> "LiveTable":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def stage(self, text: str) -> None:
        """Shows the stage; repeated ones once."""
        if text != self._stage and not self._console.is_terminal:
            self._console.print(f"{self._name}: {text}")
        self._stage = text

    def planned(self, *, trials: int, ended: int, epochs: int, trainers: int) -> None:
        """Notes the size of the search."""
        self._trials, self._epochs, self._trainers = trials, epochs, trainers
        self._ended_before = self._num_ended = ended
        self._search_start = time.monotonic()
        self.stage(f"searching: {trials} trials, {trainers} at a time")

    def began(self, record: TrialRecord) -> None:
        """Shows a running trial."""
        self._records[record.number] = record

    def reported(self, record: TrialRecord) -> None:
        """Shows a trial's newest scores."""
        self._records[record.number] = record

    def ended(self, record: TrialRecord) -> None:
        """Counts an ended trial."""
        self._records[record.number] = record
        self._num_ended += 1
        if not self._console.is_terminal:
            left = self._seconds_left()
            self._console.print(
                f"[{self._num_ended}/{self._trials}] {_line(record)}"
                + (f"  about {_clock(left)} left" if left else ""),
                soft_wrap=True,
            )

    def _render(self) -> Group:
        spent = _clock(time.monotonic() - self._start)
        left = self._seconds_left()
        head = f"{self._name}  {self._stage}  {spent}" + (
            f", about {_clock(left)} left" if left else ""
        )
        if not self._trials:
            return Group(Text(head))
        table = Table("trial", "status", "epoch", "combined", "scores", "parameters", expand=True)
        running = [record for record in self._records.values() if record.status == "running"]
        ended = [record for record in self._records.values() if record.status != "running"]
        ended.sort(key=rank)
        for record in (*running, *ended[:_SHOWN]):
            table.add_row(
                record.id,
                record.status,
                f"{len(record.reports)}/{self._epochs}",
                f"{record.best.combined:.4f}" if record.best else "",
                _scores(record),
                _parameters(record),
            )
        return Group(Text(f"{head}  {self._num_ended}/{self._trials} trials"), table)

    def _seconds_left(self) -> float | None:
        done = self._num_ended - self._ended_before
        if not done:
            return None
        each = (time.monotonic() - self._search_start) / done
        return each * (self._trials - self._num_ended)


def _line(record: TrialRecord) -> str:
    score = f"combined {record.best.combined:.4f}" if record.best else "no score"
    if record.status == "failed":
        score = record.error or "no reason known"
    epochs = f"{len(record.reports)} epoch{'' if len(record.reports) == 1 else 's'}"
    return (
        f"trial {record.id} {record.status} after {epochs}: {score}  {_scores(record)}  "
        f"{_parameters(record)}"
    )


def _scores(record: TrialRecord) -> str:
    if record.best is None:
        return ""
    return " ".join(f"{task} {next(iter(s.values())):.3f}" for task, s in record.best.dev.items())


def _parameters(record: TrialRecord) -> str:
    return " ".join(
        f"{name.removeprefix('optimizer.')}={value:.3g}"
        if isinstance(value, float)
        else f"{name}={value}"
        for name, value in record.parameters.items()
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
