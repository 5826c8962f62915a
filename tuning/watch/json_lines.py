"""Tells a study as lines of JSON, for programs: `mtl tune --json`."""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import Any, TextIO, cast

from tuning.records import TrialRecord
from tuning.trainers.messages import TrainerStatus
from tuning.watch.console import number_of
from tuning.watch.events import (
    BeganEvent,
    EndedEvent,
    Event,
    PausedEvent,
    PlannedEvent,
    ProgressedEvent,
    QueuedEvent,
    ReportedEvent,
    StageEvent,
    WarnedEvent,
    line_of,
)
from tuning.watch.log_lines import is_told_nowhere_else
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher
from tuning.watch.wording import work

_BETWEEN_SECONDS = 10.0
"""Between signs of life."""

_STDERR = 2


class EventLines:
    """Writes events to a stream, a line each; any thread may write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._lock = threading.Lock()

    def write(self, event: Event) -> None:
        """Writes an event, and hands it on at once; to a reader that is gone nothing."""
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(line_of(event) + "\n")
                self._stream.flush()
            except BrokenPipeError:
                # The study goes on: its folder is what counts. What is in the buffer would fail
                # once more when the stream is closed.
                _to_nowhere(self._stream)
                self._stream = None


class JsonLines(Watcher):
    """Writes what happens as events."""

    def __init__(self, state: StudyState, lines: EventLines) -> None:
        """Writes events.

        Args:
            state: What is known of the study; has to be told of everything before this.
            lines: Where they go.
        """
        self._state = state
        self._lines = lines
        self._stage = ""
        self._progressed = time.monotonic()

    def stage(self, text: str) -> None:
        """Writes the stage; repeated ones once."""
        if text != self._stage:
            self._stage = text
            self._lines.write(StageEvent(text=text))

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Writes the size of the search."""
        self._lines.write(
            PlannedEvent(trials=trials, ended=len(ended), epochs=epochs, trainers=trainers)
        )

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Writes which runs are to be trained."""
        self._lines.write(QueuedEvent(runs=tuple(run_ids), ended=len(ended)))

    def began(self, record: TrialRecord) -> None:
        """Writes the recipe."""
        self._lines.write(BeganEvent(run=record.id, parameters=record.parameters))

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """Writes a sign of life, if the last one was long ago."""
        if time.monotonic() - self._progressed < _BETWEEN_SECONDS:
            return
        self._progressed = time.monotonic()
        now = self._state.snapshot()
        self._lines.write(
            ProgressedEvent(
                ended=now.ended,
                trials=now.trials,
                running={r.id: work(r, now.status_of(r), now.epochs) for r in now.running},
                seconds_left=now.estimate.seconds if now.estimate is not None else None,
            )
        )

    def reported(self, record: TrialRecord) -> None:
        """Writes the newest report."""
        report = json.loads(record.reports[-1].to_json())
        self._lines.write(ReportedEvent(run=record.id, report=report))

    def paused(self, record: TrialRecord) -> None:
        """Writes that it did."""
        self._lines.write(PausedEvent(run=record.id))

    def ended(self, record: TrialRecord) -> None:
        """Writes the outcome."""
        self._lines.write(
            EndedEvent(
                run=record.id,
                status=record.status,
                epochs=record.progress,
                combined=record.best.combined if record.best is not None else None,
                error=record.error,
            )
        )


class _WarningLines(logging.Handler):
    """Writes warnings of this project as events."""

    def __init__(self, lines: EventLines) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines
        self.addFilter(is_told_nowhere_else)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.write(WarnedEvent(text=record.getMessage()))


@contextmanager
def event_lines() -> Iterator[EventLines]:
    """Keeps standard output for events alone: what else is printed goes to standard error.

    Libraries print, and so do a user's own watchers; one line of theirs would break a reader.
    """
    own, number = sys.stdout, number_of(sys.stdout)
    with ExitStack() as stack:
        # In tests and notebooks standard output is no file; nothing but Python writes to it then.
        lines = EventLines(own if number is None else stack.enter_context(_taken_over(own, number)))
        stack.enter_context(redirect_stdout(cast(TextIO, _PresentStderr())))
        handler = _WarningLines(lines)
        logging.getLogger().addHandler(handler)
        stack.callback(logging.getLogger().removeHandler, handler)
        yield lines


@contextmanager
def _taken_over(own: TextIO, number: int) -> Iterator[TextIO]:
    """Opens what `number` leads to, and leads that to standard error meanwhile."""
    own.flush()
    kept = os.dup(number)
    with open(kept, "w", encoding="utf-8") as stream:  # noqa: PTH123
        os.dup2(_STDERR, number)
        try:
            yield stream
        finally:
            own.flush()
            os.dup2(kept, number)


class _PresentStderr:
    """Standard error as it is at a moment: a study has its own for a while."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def _to_nowhere(stream: TextIO) -> None:
    number = number_of(stream)
    if number is not None:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
