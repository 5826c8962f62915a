"""A study under attack: its driver and other processes, where it stands, what it left behind."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psutil
from _chaos_study import NAME, Inputs, ended_of, reports_of

_HERE = Path(__file__).parent
_ROOM = 12 * 2**30
"""Bytes of memory that a study and a worker which takes memory may fill."""

LONGEST_SECONDS = 300.0
"""For whatever is waited for; on an idle machine it takes seconds."""

_GONE_SECONDS = 60.0
"""In which the processes of a driver that ended have to be gone."""

_INTERRUPTED = 130
"""The exit code after Ctrl-C and SIGTERM."""

_NOT_OURS = re.compile(r"^(\[20\d\d-|\*\*\* |[EWFI]\d{4} |\(raylet|\(autoscaler|\(pid=|SIG|Stack)")
"""How lines begin that C++ code of Ray writes to the console."""


@dataclass(slots=True)
class Entry:
    """One fault, a line of the ledger.

    Attributes:
        kind: What was done.
        setup: To which study.
        detail: More of it, for instance which file was damaged.
        unsaved: Seconds since the last checkpoints of the trials that ran, together: the work that
            is repeated, at most.
        recovery: Seconds until the study was further than before.
        codes: Exit codes of the drivers that ended meanwhile.
        faults: What went wrong: it stands here, or in the study's own line.
    """

    kind: str
    setup: str
    detail: str = ""
    unsaved: float = 0.0
    recovery: float = 0.0
    codes: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class StuckError(Exception):
    """The study does not go on."""


class Attack:
    """One study from start to end, whatever happens to it."""

    def __init__(self, inputs: Inputs, setup: str, rng: random.Random, place: Path) -> None:
        """Prepares a study; `place` is a new folder with a short path."""
        self.setup = setup
        self.rng = rng
        self.place = place
        self._id = uuid4().hex
        self._orders = place / "orders"
        for folder in (self._orders, place / "t"):  # Ray's sessions lie in a folder that is there.
            folder.mkdir()
        self.study = inputs.write(place, setup)
        self.folder = place / "runs" / NAME
        self._driver: psutil.Popen | None = None
        # Where the faults that a kind prepared are undone before the study is started again.
        self.before_restart: list[Callable[[], object]] = []
        # Seconds of training since the last checkpoint, at the fault.
        self.repeated = 0.0
        # Puts back a file that was damaged, for a driver that refuses it.
        self.give_back: Callable[[], object] | None = None
        # Trials that had ended, whose reports were damaged for good.
        self.damaged: set[str] = set()
        self._memory = psutil.virtual_memory()

    def _environment(self) -> dict[str, str]:
        memory, room = self._memory, min(_ROOM, int(0.6 * self._memory.available))
        threshold = (memory.total - memory.available + room) / memory.total
        others = os.environ.get("PYTHONPATH", "")
        paths = [str(_HERE / "_chaos_hooks"), str(_HERE.parent), *filter(None, [others])]
        return os.environ | {
            "MTL_CHAOS": self._id,
            "MTL_CHAOS_FOLDER": str(self._orders),
            "MTL_CACHE": str(self.place / "cache"),
            "RAY_TMPDIR": str(self.place / "t"),
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            # So that a worker which takes memory is ended when the machine still has some, and no
            # other process because of what else runs here.
            "MTL_CHAOS_BYTES": str(room + 2**31),
            "RAY_memory_usage_threshold": f"{min(0.9, threshold):.3f}",
            "RAY_memory_monitor_refresh_ms": "250",
        }

    @property
    def console(self) -> Path:
        """What all drivers printed."""
        return self.place / "console.txt"

    @property
    def told_gone(self) -> set[str]:
        """Trials whose reports were damaged for good, and of which the study says so."""
        said = self.console.read_text(encoding="utf-8", errors="replace")
        return {one for one in self.damaged if f"the scores of trial {one} are those of" in said}

    @property
    def last_line(self) -> str:
        """The last line that a driver printed."""
        lines = self.console.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")[:300]

    def launch(self, output: Path) -> psutil.Popen:
        """Starts `mtl tune` with its output in a file, in a session of its own."""
        with output.open("ab") as file:
            return psutil.Popen(
                [sys.executable, "-m", "tuning", "tune", str(self.study)],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                env=self._environment(), cwd=self.place,
            )  # fmt: skip

    def start(self) -> None:
        """Starts the driver."""
        for undo in self.before_restart:
            undo()
        self.before_restart.clear()
        for order in self._orders.iterdir():
            order.unlink()
        self._said = self.console.stat().st_size if self.console.exists() else 0
        self._driver = self.launch(self.console)

    @property
    def driver(self) -> psutil.Popen:
        """The driver that was started last."""
        assert self._driver is not None
        return self._driver

    @property
    def has_ended(self) -> bool:
        """Whether the driver has."""
        return self.driver.poll() is not None

    def processes(self, word: str = "") -> list[psutil.Process]:
        """Returns the living processes of the study whose command begins with a word."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("MTL_CHAOS") != self._id:
                    continue
                command = process.cmdline()
                name = Path(command[0]).name if command else ""
                if name.startswith(word) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def one(self, word: str) -> psutil.Process | None:
        """Returns one of these processes, drawn; None when the driver ended before."""
        self.wait(lambda: bool(self.processes(word)) or self.has_ended)
        found = self.processes(word)
        return self.rng.choice(sorted(found, key=lambda one: one.pid)) if found else None

    def send(self, word: str, number: signal.Signals) -> str:
        """Sends a signal to one of these processes; returns what it was sent to."""
        process = self.one(word)
        if process is None:
            return "nobody"
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        return f"{word} {process.pid}"

    def order(self, name: str) -> Path:
        """Gives the hooks an order; see `_chaos_hooks/sitecustomize.py`."""
        path = self._orders / name
        path.touch()
        return path

    def held(self, name: str) -> bool:
        """Waits until a process holds before it puts NAME in its place; False = none came to it."""
        order = self.order(f"hold-{name}")
        held = self._orders / f"held-{name}"
        self.wait(lambda: held.exists() or self.has_ended)
        order.unlink(missing_ok=True)
        self.repeated = self.unsaved()  # The study went on until now.
        return held.exists()

    def let_go(self, name: str) -> None:
        """Lets the process go on that was held."""
        (self._orders / f"held-{name}").unlink(missing_ok=True)

    def wait(self, condition: Callable[[], bool], seconds: float = LONGEST_SECONDS) -> None:
        """Waits for a condition.

        Raises:
            StuckError: It did not come true.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise StuckError(f"nothing happened for {seconds:.0f} s")
            time.sleep(0.1)

    def progress(self) -> tuple[int, int]:
        """Returns how far the study is: trials that ended, reports."""
        with contextlib.suppress(OSError, ValueError):
            return len(ended_of(self.folder)), sum(map(len, reports_of(self.folder).values()))
        return 0, 0

    def unsaved(self) -> float:
        """Returns the seconds since the last checkpoint of the trials that run, together."""
        seconds = 0.0
        with contextlib.suppress(OSError, ValueError):
            for run_id in reports_of(self.folder).keys() - ended_of(self.folder).keys():
                trial = self.folder / "trials" / run_id
                states = [trial / "checkpoint" / "state.pt", trial / "config.yaml"]
                times = [path.stat().st_mtime for path in states if path.exists()]
                seconds += time.time() - max(times, default=time.time())
        return seconds

    def after_end(self) -> list[str]:
        """Looks what a driver that ended said and left running; returns what is wrong with it."""
        faults = []
        with self.console.open("rb") as file:
            file.seek(self._said)
            said = file.read().decode(errors="replace")
        if "Traceback (most recent call last)" in said:
            faults.append("a traceback on the console")
        theirs = [line for line in said.splitlines() if _NOT_OURS.match(line)]
        if theirs:
            faults.append(f"{len(theirs)} lines of Ray on the console: {theirs[0][:100]}")
        if self.driver.wait() == _INTERRUPTED and "The same command goes on" not in said:
            faults.append("an interrupted driver does not say how to go on")
        with contextlib.suppress(StuckError):
            self.wait(lambda: not self.processes(), _GONE_SECONDS)
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                faults.append(f"process left: {' '.join(process.cmdline())[:80]}")
                process.kill()
        return faults

    def sessions_left(self) -> int:
        """Returns the bytes that Ray's session folders take now."""
        return sum(
            path.lstat().st_size for path in (self.place / "t").rglob("*") if not path.is_dir()
        )

    def end(self) -> None:
        """Ends all processes of the study, whatever state they are in."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._driver is not None:
            self._driver.wait()


@contextlib.contextmanager
def small_disk(place: Path, mebibytes: int) -> Iterator[None]:
    """Mounts a file system of a certain size in memory, where this user may do so.

    Raises:
        PermissionError: This user may not.
    """
    place.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(place)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PermissionError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def remove(place: Path) -> None:
    """Removes a folder, whatever lies there."""
    shutil.rmtree(place, ignore_errors=True)
