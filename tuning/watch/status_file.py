"""`status.json` of a study folder: what its driver does, for `mtl status` and for scripts."""

import contextlib
import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import BaseModel, Field

from mtl_core.errors import StorageError
from mtl_core.files import write_json
from mtl_core.kept import BrokenError, read_kept
from mtl_core.number_types import KEPT, Count, Seconds
from tuning.watch.state import Estimate, StudyState
from tuning.watch.ticker import Ticker
from tuning.watch.watcher import Watcher
from tuning.watch.wording import work

logger = logging.getLogger(__name__)

_WRITE_SECONDS = 2.0

_SILENT_SECONDS = 60.0
"""Without news of a driver on another machine after which it is taken to be gone."""


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """What a study folder tells of its driver, which may be dead.

    Attributes:
        is_alive: Whether the driver runs.
        host: Its machine.
        pid: Its process.
        stage: What it does, or did last.
        seconds: Since its command began, when it last wrote.
        silent_seconds: Since it last wrote.
        running: Trial id -> what is done on it.
        estimate: How long it thought that the study will take; None without one.
    """

    is_alive: bool
    host: str
    pid: int
    stage: str
    seconds: float
    silent_seconds: float
    running: Mapping[str, str]
    estimate: Estimate | None


class StatusFile(Watcher):
    """Writes the state of a study into a file every two seconds, from its making to `close`."""

    def __init__(self, path: Path, state: StudyState) -> None:
        """Writes `state`, which has to be told of everything before this, for the first time."""
        process = psutil.Process()
        self._path = path
        self._state = state
        self._driver = {
            "pid": process.pid,
            # Seconds since 1970; with the id it names a process for good, see `_is_alive`.
            "process_started": process.create_time(),
            "host": socket.gethostname(),
        }
        # At once, so that `mtl status` does not take the file of an earlier driver for this one's.
        self._write(is_over=False)
        self._ticker = Ticker(_WRITE_SECONDS, partial(self._write, is_over=False))
        self._ticker.start()

    def close(self) -> None:
        """Says that no driver runs any more: in a notebook this process lives on."""
        # The ticker first: a tick that came later would say again that the driver runs.
        self._ticker.stop()
        self._write(is_over=True)

    def _write(self, *, is_over: bool) -> None:
        # A full disk, say, is for the writers of results to report; raised in the ticker's thread
        # it would end the ticking and nothing else.
        with contextlib.suppress(OSError, StorageError):
            write_json(self._path, self._driver | _content(self._state) | {"is_over": is_over})


def _content(state: StudyState) -> dict[str, object]:
    now = state.snapshot()
    # Wall time, since the reader is another process; `seconds` is a length of time, and monotonic.
    return {
        "updated": time.time(),
        "stage": now.stage,
        "seconds": round(now.seconds, 1),
        "trials": now.trials,
        "ended": now.ended,
        "running": {r.id: work(r, now.status_of(r), now.epochs) for r in now.running},
        "seconds_left": round(now.estimate.seconds, 1) if now.estimate else None,
        "is_bound": now.estimate.is_bound if now.estimate else False,
    }


class _Written(BaseModel):
    """The content of the file."""

    model_config = KEPT
    pid: Annotated[Count, Field(lt=2**31)]
    process_started: Seconds
    host: str
    updated: Seconds
    stage: str
    seconds: Seconds
    trials: Count
    ended: Count
    running: dict[str, str]
    seconds_left: Seconds | None
    is_bound: bool
    is_over: bool


def read_driver(path: Path) -> DriverStatus | None:
    """Returns what a `StatusFile` wrote, and whether that driver lives; None when there is none."""
    # Broken, or of another version: it tells of no driver, and `mtl status` tells all the rest.
    try:
        found = read_kept(path, _Written, remedy="whether a driver runs is not known")
    except BrokenError as error:
        logger.warning("%s", error)
        found = None
    if found is None:
        return None
    # Not below 0: clocks of two machines differ.
    silent, left = max(0.0, time.time() - found.updated), found.seconds_left
    return DriverStatus(
        is_alive=not found.is_over and _is_alive(found, silent),
        host=found.host,
        pid=found.pid,
        stage=found.stage,
        seconds=found.seconds,
        silent_seconds=silent,
        running=found.running,
        estimate=None if left is None else Estimate(left, found.is_bound),
    )


def _is_alive(found: _Written, silent_seconds: float) -> bool:
    # Processes of another machine cannot be asked for; all there is to go by is how long ago the
    # driver wrote.
    if found.host != socket.gethostname():
        return silent_seconds < _SILENT_SECONDS
    try:
        # Process ids are given again; the time of the start tells another process apart. A zombie
        # has ended, and its parent has not asked for its exit code yet.
        process = psutil.Process(found.pid)
        started, is_dead = process.create_time(), process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    # Not equality: Linux reckons it from the time of the boot, which shifts as the clock is set.
    return not is_dead and abs(started - found.process_started) < 1.0
