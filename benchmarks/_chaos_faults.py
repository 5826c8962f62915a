"""The faults of `chaos.py`: each does one thing to a study that runs."""

import contextlib
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import psutil
from _chaos_attack import Attack
from _chaos_study import REPORT_TIMEOUT_S, SEARCHES, ended_of
from _damage import BYTES, FILES

WORKER, ACTOR, POOL = "ray::RayTrainWorker", "ray::ResourceTrainable", "ray::TrialPool"
CONTROLLER, GCS, RAYLET = "ray::TrainController", "gcs_server", "raylet"
_STOP_SECONDS = 5.0
_LARGEST_BALLAST = 2**30


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault.

    Attributes:
        name: What happens.
        do: Does it; returns a detail for the ledger.
        weight: How often it is drawn, against the others.
        setups: The studies that it can happen to.
        codes: The exit codes that a driver may end with because of it; empty = it goes on.
        ends: Whether the driver ends in any case.
        fails_trial: Whether a trial fails by it, as it should.
    """

    name: str
    do: Callable[[Attack], str]
    weight: int = 3
    setups: tuple[str, ...] = ("asha", "pair", "workers")
    codes: tuple[int, ...] = ()
    ends: bool = False
    fails_trial: bool = False


def _send(word: str, number: signal.Signals, attack: Attack) -> str:
    return attack.send(word, number)


def _to_driver(number: signal.Signals, attack: Attack) -> str:
    attack.driver.send_signal(number)
    return ""


def _twice(attack: Attack) -> str:
    attack.driver.send_signal(signal.SIGINT)
    time.sleep(attack.rng.uniform(0.1, 1.5))
    with contextlib.suppress(psutil.NoSuchProcess):
        attack.driver.send_signal(signal.SIGINT)
    return ""


def _driver_while(name: str, attack: Attack) -> str:
    """Kills the driver while a file or folder is about to be put in its place."""
    if not attack.held(name):
        return "ended before"
    attack.driver.kill()
    attack.driver.wait()
    attack.let_go(name)
    return ""


def _worker_while(name: str, attack: Attack) -> str:
    if not attack.held(name):
        return "ended before"
    for worker in attack.processes(WORKER)[:1]:
        worker.kill()
    attack.let_go(name)
    return ""


def _pause(word: str, attack: Attack) -> str:
    process = attack.one(word) if word else attack.driver
    if process is None:
        return "nobody"
    with contextlib.suppress(psutil.NoSuchProcess):
        process.suspend()
        time.sleep(_STOP_SECONDS)
        process.resume()
    return f"for {_STOP_SECONDS:.0f} s"


def _in_worker(what: str, attack: Attack) -> str:
    process = attack.one(WORKER)
    if process is None:
        return "nobody"
    attack.order(f"{process.pid}-{what}")
    return f"{WORKER} {process.pid}"


def _until_replaced(disturb: Callable[[Attack], str], attack: Attack) -> str:
    """Has a worker stand still, and waits until a trial has failed by it."""
    failed = sum(status == "failed" for status in ended_of(attack.folder).values())
    found = disturb(attack)

    def is_over() -> bool:
        now = sum(status == "failed" for status in ended_of(attack.folder).values())
        return now > failed or attack.has_ended

    attack.wait(is_over, 4 * REPORT_TIMEOUT_S)
    return found


def _suspend(attack: Attack) -> str:
    process = attack.one(WORKER)
    if process is None:
        return "nobody"
    process.suspend()
    return f"{WORKER} {process.pid}"


def _fill_disk(attack: Attack) -> str:
    """Takes all the room where the study lies; it is given back before the next start."""
    ballast = attack.place / "runs" / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.tell() < _LARGEST_BALLAST:
            file.write(bytes(2**16))
    attack.before_restart.append(lambda: ballast.unlink(missing_ok=True))
    attack.wait(lambda: attack.has_ended)
    return ""


def _second_driver(attack: Attack) -> str:
    output = attack.place / "second.txt"
    second = attack.launch(output)
    code = second.wait(timeout=120)
    said = output.read_text(encoding="utf-8", errors="replace")
    if code == 0 and attack.has_ended:
        return "came when the first had ended"
    if code not in (2, 75) or "another process" not in said or "Traceback" in said:
        raise AssertionError(f"the second driver ended with {code}: {said[-200:]}")
    return f"refused with {code}"


_WRITTEN_KINDS = ("empty", "cut", "zeros", "noise", "something added", *FILES)
"""What disks and people do to files. A value that only changed to another right one is no damage,
but another study: nothing could tell."""


def _damage(attack: Attack) -> str:
    """Kills the driver and damages a file; what is refused gets the file back."""
    attack.driver.kill()
    attack.driver.wait()
    places = [attack.folder, *sorted((attack.place / "cache").glob("*"))]
    files = [
        path
        for place in places
        for path in sorted(place.rglob("*"))
        if path.is_file()
        and path.suffix not in (".lock", ".md")
        and "tensorboard" not in path.parts
    ]
    path = _drawn(files, attack.rng)
    kept = attack.place / "kept"
    shutil.copyfile(path, kept)
    kind = _damage_one(path, attack.rng)
    run_id = path.parent.name
    if path.name == "reports.jsonl" and run_id in ended_of(attack.folder):
        attack.damaged.add(run_id)

    def give_back() -> None:
        attack.damaged.discard(run_id)
        # Only a driver that refused is followed by another one.
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(kept, path)  # The disk that fills up is another one.

    attack.give_back = give_back
    return f"{path.relative_to(attack.place)}: {kind}"


def _drawn(files: list[Path], rng: random.Random) -> Path:
    """Draws a name first, then one of the files with it: else most were of the caches."""
    names = sorted({path.name if "cache" not in path.parts else path.suffix for path in files})
    name = rng.choice(names)
    return rng.choice([path for path in files if name in (path.name, path.suffix)])


def _damage_one(path: Path, rng: random.Random) -> str:
    content = path.read_bytes()
    kind = rng.choice(_WRITTEN_KINDS)
    if kind in FILES:
        FILES[kind](path)
        return kind
    if not content:
        path.write_bytes(b"\x00")
        return "something added"
    found = content
    while found == content:
        found = BYTES[kind](content, rng)
    path.unlink()
    path.write_bytes(found)
    return kind


AT_THE_END = ("result.json", "at best", "report.md")
"""Names of faults end with these that happen when all trials have ended."""

_KILL, _SEGV = signal.SIGKILL, signal.SIGSEGV
_GONE = (1, 75)
FAULTS = (
    Fault("driver killed", partial(_to_driver, _KILL), 8, codes=(-9,), ends=True),
    Fault("driver: segfault", partial(_to_driver, _SEGV), 2, codes=(-11,), ends=True),
    Fault("driver: Ctrl-C", partial(_to_driver, signal.SIGINT), codes=(130,), ends=True),
    Fault("driver: Ctrl-C twice", _twice, codes=(130, -2), ends=True),
    Fault("driver: SIGTERM", partial(_to_driver, signal.SIGTERM), codes=(130, 143, -15), ends=True),
    *(
        Fault(f"driver killed at {name}", partial(_driver_while, name), 2, codes=(-9,), ends=True)
        for name in (
            "result.json", "best", "report.md", "status.json", "trials.csv", "config.yaml",
            "state.pt", "best.safetensors",
        )
    ),
    Fault("worker killed", partial(_send, WORKER, _KILL), 6),
    Fault("worker: segfault", partial(_send, WORKER, _SEGV)),
    Fault("worker killed at state.pt", partial(_worker_while, "state.pt")),
    Fault("worker takes memory until killed", partial(_in_worker, "allocate"), 4, codes=_GONE),
    Fault("Tune actor killed", partial(_send, ACTOR, _KILL), 8),
    Fault("controller killed", partial(_send, CONTROLLER, _KILL), 5),
    Fault("pool killed", partial(_send, POOL, _KILL), 4, codes=_GONE, ends=True),
    Fault("GCS killed", partial(_send, GCS, _KILL), 4, codes=_GONE, ends=True),
    Fault("raylet killed", partial(_send, RAYLET, _KILL), 4, codes=_GONE, ends=True),
    Fault("worker stopped for a while", partial(_pause, WORKER), 2),
    Fault("Tune actor stopped for a while", partial(_pause, ACTOR), 2),
    Fault("pool stopped for a while", partial(_pause, POOL), 2),
    Fault("GCS stopped for a while", partial(_pause, GCS), 2),
    Fault("raylet stopped for a while", partial(_pause, RAYLET), 2),
    Fault("driver stopped for a while", partial(_pause, ""), 2),
    Fault("worker hangs", partial(_until_replaced, partial(_in_worker, "hang")), 3,
          ("timeout",), fails_trial=True),
    Fault("worker stopped for good", partial(_until_replaced, _suspend), 2,
          ("timeout",), fails_trial=True),
    Fault("disk full", _fill_disk, 6, codes=(1,), ends=True),
    Fault("second driver", _second_driver, 4),
    Fault("damaged file", _damage, 20, codes=(-9, 1, 2), ends=True),
)  # fmt: skip


def of_searches(count: int) -> list[Fault]:
    """Returns kills of drivers and workers, so many of a search of every kind."""
    named = {fault.name: fault for fault in FAULTS}
    kills = islice(cycle([named["driver killed"], named["worker killed"]]), count)
    return [replace(kill, setups=(setup,)) for kill in kills for setup in SEARCHES]
