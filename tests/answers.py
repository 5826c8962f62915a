"""What a command answers, and what no answer may have.

A module of damaged things has a function `cases(folder, seed, count)` that yields `Case`s. Its test
takes some of them, `benchmarks/damaged_inputs.py` many.
"""

import contextlib
import io
import logging
import os
import re
import signal
import sys
import time
import traceback
import unittest.mock
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 10.0
"""An answer that takes longer counts as none."""

EXIT_CODES = frozenset({0, 1, 2, 75, 130})


@dataclass(frozen=True, slots=True)
class Case:
    """Something damaged.

    Attributes:
        name: What is damaged, and how; enough to find it again.
        fault: Tries it; returns what is wrong with the answer, or None when it is as it should be.
    """

    name: str
    fault: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did.

    Attributes:
        code: Its exit code; None = it never ended by itself.
        stdout, stderr: What it printed.
        trace: The traceback of the error that it let through; "" without one.
        seconds: Wall time.
        written: Paths below the watched folders that were made, changed or removed.
    """

    code: int | None
    stdout: str
    stderr: str
    trace: str
    seconds: float
    written: Sequence[str]

    def fault(self, *, writes: bool = False) -> str | None:
        """Returns what no answer may have; None when there is none of it.

        Args:
            writes: Whether the command may write in the watched folders when it ends well.
        """
        if self.trace:
            return f"traceback: {self.trace.strip().splitlines()[-1]}"
        if self.code is None or self.seconds > SECONDS:
            return f"no answer in {SECONDS:.0f} s"
        if self.code not in EXIT_CODES:
            return f"exit code {self.code}"
        if "Traceback (most recent call last)" in self.stdout + self.stderr:
            return "printed a traceback"
        if self.code != 0 and not self.stderr.strip():
            return f"exit code {self.code} without a word"
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", self.stderr):
            return f"control characters in what it said: {self.stderr[:200]!r}"
        if self.written and (self.code != 0 or not writes):
            return f"wrote {', '.join(self.written)}"
        return None


def snapshot(folders: Sequence[Path]) -> dict[str, tuple[int, int, int]]:
    """Returns what lies below folders: path -> mode, size, time of change in nanoseconds."""
    found = {}
    for top in folders:
        for parent, folder_names, file_names in os.walk(top):
            for name in (*folder_names, *file_names):
                path = os.path.join(parent, name)  # noqa: PTH118 (names need not be text)
                stat = os.lstat(path)
                # A folder's time changes with locks that come and go in it.
                is_folder = name in folder_names
                found[path] = (
                    stat.st_mode,
                    0 if is_folder else stat.st_size,
                    0 if is_folder else stat.st_mtime_ns,
                )
    return found


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Returns the paths that differ between two snapshots; lock files do not count."""
    return sorted(
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path) and not path.endswith(".lock")
    )


class TooLateError(BaseException):
    """Raised in the middle of a command that takes too long; not caught by what catches errors."""


@contextlib.contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Raises a `TooLateError` in the main thread after so many seconds."""

    def end(*_: object) -> None:
        raise TooLateError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def answer_of(arguments: Sequence[str], watched: Sequence[Path] = ()) -> Answer:
    """Runs `mtl` with arguments in this process, as its main function runs in one of its own.

    Args:
        arguments: What stands behind `mtl`.
        watched: Folders in which it is noticed what is written.
    """
    from tuning.cli import app

    def call() -> None:
        before = sys.argv
        sys.argv = ["mtl", *arguments]
        try:
            app.main()
        finally:
            sys.argv = before

    return answer_to(call, watched)


def answer_to(call: Callable[[], object], watched: Sequence[Path] = ()) -> Answer:
    """Returns what a call did, as `answer_of` does; a `SystemExit` has its exit code."""
    before = snapshot(watched)
    out, err = _Stream(), _Stream()
    code: int | None = 0
    trace = ""
    start = time.monotonic()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            # Those of a test runner would keep what is logged for themselves.
            unittest.mock.patch.object(logging.getLogger(), "handlers", []),
            in_time(2 * SECONDS),
        ):
            call()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except TooLateError:
        code = None
    except BaseException:  # noqa: BLE001 (that is what is looked for)
        trace = traceback.format_exc()
    seconds = time.monotonic() - start
    written = changes(before, snapshot(watched))
    return Answer(code, out.text, err.text, trace, seconds, written)


class _Stream(io.TextIOWrapper):
    """A stream in memory that refuses what a terminal of UTF-8 refuses, as `sys.stdout` does."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        content: bytes = self.buffer.getvalue()  # type: ignore[attr-defined]  # a BytesIO
        return content.decode("utf-8", "surrogateescape")

    def close(self) -> None:
        """Stays open: a command that closes its output is still to be asked what it said."""
