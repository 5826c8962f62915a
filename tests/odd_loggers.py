"""Loggers for tests: one that writes what it is told into a file, and misbehaves as it is told."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mtl_core.files import write_text
from mtl_core.training.report import Report
from tuning.records import TrialRecord
from tuning.watch.loggers.base import LoggedStudy, LoggerBase, Service
from tuning.watch.loggers.final_table import FinalTable
from tuning.watch.loggers.logged import LoggedRun


class OddSection(LoggerBase):
    """Appends a line for each call to a file; what a file named `broken` holds decides the rest."""

    kind: Literal["odd"] = "odd"
    path: Path

    @property
    def name(self) -> str:
        return "Odd"

    def place(self, study: LoggedStudy) -> str:
        return str(self.path)

    def told(self, study: LoggedStudy) -> str:
        return "nowhere"

    def open(self, study: LoggedStudy) -> "Odd":
        return Odd(self.path)


class Odd(Service):
    """What the section opens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refused: set[str] = set()
        """Ids of runs that it does not take."""

    def calls(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def breaks(self, how: str) -> None:
        """From now on: "raises", "hangs", "dies"; "" = it works."""
        write_text(self.path.with_name("broken"), how)

    def begin_study(self, known: str | None) -> str:
        print("what a library prints")  # noqa: T201
        self._note(f"study {known}")
        return "S"

    def begin(self, record: TrialRecord, known: LoggedRun | None) -> LoggedRun:
        if record.id in self.refused:
            raise ValueError("refused")
        self._note(f"begin {record.id}")
        return known or LoggedRun(f"R{record.id}")

    def report(self, run: str, reports: Sequence[Report], number: int) -> None:
        assert len(reports) == number
        self._note(f"report {run} {number}")

    def end(self, run: str, record: TrialRecord) -> None:
        self._note(f"end {run} {record.status}")

    def end_study(self, run: str, table: FinalTable | None) -> None:
        self._note(f"end {run} {table.status if table else None}")

    def close(self) -> None:
        self._note("close")

    def _note(self, line: str) -> None:
        broken = self.path.with_name("broken")
        match broken.read_text() if broken.exists() else "":
            case "raises":
                raise ConnectionError("no answer")
            case "hangs":
                time.sleep(1000)
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
        print("what a library prints")  # noqa: T201
        with self.path.open("a") as file:
            file.write(f"{line}\n")
