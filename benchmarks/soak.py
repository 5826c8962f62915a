"""500 small trials at one go: what a study holds after 50, 250 and nearly all of them.

Memory of the driver, the pool, Tune's actor and the worker (what is theirs alone), open files and
processes of all, and the room that Ray's session, the caches and the scratch folder take must stay
flat within 10 %. The study folder has to grow: it keeps every trial. It is told per trial.
"""

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from _chaos_attack import Attack
from _chaos_faults import ACTOR, POOL, WORKER
from _chaos_study import SOAK_TRIALS, Inputs, ended_of
from _harness import Row, output_path, write

# The last look is before the end, at which all processes go.
LOOKS = (50, 250, SOAK_TRIALS - 10)
FLAT = 1 / 1.1
_MIB = 2**20


def main() -> None:
    """Runs the study, and writes what it held at the looks."""
    path = output_path()
    with tempfile.TemporaryDirectory(prefix="sk", dir="/tmp", ignore_cleanup_errors=True) as root:
        place = Path(root)
        (place / "inputs").mkdir()
        inputs = Inputs(place / "inputs", sentences=32, layers=1, epochs=2)
        attack = Attack(inputs, "soak", random.Random(0), place)
        try:
            start = time.monotonic()
            attack.start()
            looks = [look(attack, trials) for trials in LOOKS]
            attack.wait(lambda: attack.has_ended, 600)
            code, seconds = attack.driver.wait(), time.monotonic() - start
        finally:
            attack.end()
    assert code == 0, f"the study ended with {code}"
    rows = []
    for what, last in looks[-1].items():
        name = f"{what}: after {LOOKS[-1]} and {LOOKS[0]} trials"
        first = looks[0][what]
        unit = "" if what in ("open files", "processes") else "MiB"
        flat = first / last if last else 1.0
        is_flat = what != "study folder, per trial"
        rows.append(Row.of(name, last, first, unit, flat, FLAT if is_flat else None))
    raw = {"looks": dict(zip(map(str, LOOKS), looks, strict=True)), "seconds": seconds}
    write("soak", rows, path, raw)
    print(f"{SOAK_TRIALS} trials in {seconds:.0f} s; MiB after {LOOKS[1]}: {looks[1]}")


def look(attack: Attack, trials: int) -> dict[str, float]:
    """Waits until so many trials have ended; returns what the study holds then."""

    def is_there() -> bool:
        return attack.has_ended or len(ended_of(attack.folder)) >= trials

    attack.wait(is_there, 1800)
    assert not attack.has_ended, attack.console.read_text(encoding="utf-8")[-2000:]
    return {
        "driver": _own(attack.driver),
        "pool": _sum(attack, POOL),
        "Tune's actor": _sum(attack, ACTOR),
        "worker": _sum(attack, WORKER),
        "open files": float(
            sum(_of(process, psutil.Process.num_fds) for process in attack.processes())
        ),
        "processes": float(len(attack.processes())),
        "Ray's session": _size(attack.place / "t"),
        "caches": _size(attack.place / "cache"),
        "scratch": _size(attack.folder / ".scratch"),
        "study folder, per trial": _size(attack.folder) / trials,
    }


def _own(process: psutil.Process) -> float:
    """Returns the memory that is a process's alone, MiB: what it shares is not its growth."""
    return float(process.memory_full_info().uss / _MIB)


def _sum(attack: Attack, word: str) -> float:
    # A process that just changes its title has none.
    attack.wait(lambda: bool(attack.processes(word)))
    return sum(_of(process, _own) for process in attack.processes(word))


def _of(process: psutil.Process, measure: Callable[[psutil.Process], float]) -> float:
    try:
        return measure(process)
    except psutil.NoSuchProcess:  # It ended since it was listed.
        return 0.0


def _size(folder: Path) -> float:
    """Returns what the files below a folder take, MiB."""
    sizes = 0
    for path in folder.rglob("*"):
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue
        sizes += stat.st_blocks * 512  # Room on the disk: a log that is mapped has holes.
    return sizes / _MIB


if __name__ == "__main__":
    main()
