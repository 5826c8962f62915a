"""Faults of all kinds over small studies, each of which has to end as if nothing had been.

Whatever happens to a study (see `_chaos_faults.py`), it is started again until it ends. Then it has
to be equal, to the last digit and weight, to the same study without a fault; no trial is lost, none
is told twice to Optuna, no process is left and no file half written. The ledger (`--ledger`) has a
line per fault: where it hit, the seconds of training since the last checkpoint, which are repeated,
and the seconds until the study was further than before.

A full disk is a file system in memory, and is left out for users who may not mount one.
"""

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _chaos_attack import Attack, Entry, StuckError, remove, small_disk
from _chaos_faults import Fault, of_searches
from _chaos_ledger import Ledger, show
from _chaos_plan import drawn, short, studies_of
from _chaos_study import (
    Inputs,
    differences,
    ended_of,
    essence_of,
    half_written,
    lost,
    told_twice,
    without_reports,
    without_trials,
)

_DISK_MIB = 256
_END_SECONDS = 150.0
"""In which a driver has to end that cannot go on."""

_MOST_STARTS = 5
"""Starts in a row without progress, after which a study counts as stuck."""


def attacked(attack: Attack, faults: Sequence[Fault], ledger: Ledger) -> list[Fault]:
    """Disturbs a study and sees it to its end; returns the faults that it ended too early for."""
    waiting = list(faults)
    attack.start()
    while waiting:
        further = attack.progress()[1] + attack.rng.randint(1, 5)
        attack.wait(lambda: attack.has_ended or attack.progress()[1] >= further)  # noqa: B023
        time.sleep(attack.rng.uniform(0, 0.8))
        if attack.has_ended:
            break
        fault = waiting.pop(0)
        entry = Entry(fault.name, attack.setup)
        attack.repeated = attack.unsaved()
        ledger.faults.append(entry)
        print(f"{attack.setup}: {fault.name}", end=" ", flush=True)
        start = time.monotonic()
        try:
            entry.detail = fault.do(attack)
            start = time.monotonic()  # Only now: some faults wait for their moment.
            if fault.ends:
                attack.wait(lambda: attack.has_ended, _END_SECONDS)
            # Reports go on coming while what was hit is noticed.
            before = attack.progress()
            gone_on(attack, entry, before, fault.codes)
        except (StuckError, AssertionError) as error:
            entry.faults.append(f"stuck: {error}")
            raise
        finally:
            entry.unsaved = round(attack.repeated, 2)
            entry.recovery = round(time.monotonic() - start, 1)
            print(f"({entry.detail}) {entry.recovery} s {entry.codes} {entry.faults}", flush=True)
    gone_on(attack, Entry("", ""), None, ())
    return waiting


def gone_on(
    attack: Attack, entry: Entry, before: tuple[int, int] | None, codes: Sequence[int]
) -> None:
    """Waits until a study is further than before, or has ended; starts it again where it must be.

    Args:
        attack: The study.
        entry: Gets exit codes, and what is wrong with how drivers ended.
        before: Trials that had ended, and reports; None = waits for its end.
        codes: Exit codes that a driver may end with, other than 0.
    """
    starts = 0
    while True:
        attack.wait(lambda: attack.has_ended or (before is not None and attack.progress() > before))
        if not attack.has_ended:
            return
        code = attack.driver.wait()
        entry.codes.append(code)
        entry.faults += attack.after_end()
        if code == 0:
            return
        if code not in codes:
            entry.faults.append(f"exit code {code}: {attack.last_line}")
        starts += 1
        if starts > _MOST_STARTS:
            raise StuckError(f"{starts} starts without progress")
        if code == 2 and attack.give_back is not None:
            attack.give_back()
            attack.give_back = None
        attack.start()


def judged(attack: Attack, wanted: dict[str, Any], *, failing: int) -> Entry:
    """Returns what is wrong with a study that has ended."""
    entry = Entry("at the end", attack.setup)
    found = essence_of(attack.folder)
    entry.faults += [f"half-written {name}" for name in half_written(attack.folder)]
    entry.faults += [f"twice {what}" for what in told_twice(attack.folder)]
    if failing:
        replaced = {run_id for run_id, status in found["ended"].items() if status == "failed"}
        if len(replaced) > failing:
            entry.faults.append(f"lost {sorted(replaced)}: {failing} were to fail")
        found, wanted = (without_trials(one, replaced) for one in (found, wanted))
    entry.faults += [f"lost {run_id}" for run_id in lost(found, wanted)]
    places = differences(*(without_reports(one, attack.told_gone) for one in (found, wanted)))
    if places:
        entry.faults.append(f"differs in {len(places)} places: {', '.join(places[:4])}")
    if left := attack.sessions_left():
        entry.faults.append(f"sessions: Ray left {left / 2**20:.1f} MiB")
    return entry


class Place:
    """Where studies lie: each in a new folder with a short path, on a disk of its own if it may."""

    def __init__(self, root: Path, inputs: Inputs, *, keep: bool) -> None:
        """Takes a root folder, whose path is short: sockets of Ray lie below it."""
        self._root = root
        self._inputs = inputs
        self._keep = keep
        self._number = 0

    def study(
        self, setup: str, rng: random.Random, stack: contextlib.ExitStack, *, mount: bool
    ) -> Attack:
        """Returns a new study; the stack ends it and removes it."""
        self._number += 1
        place = self._root / str(self._number)
        place.mkdir()
        if not self._keep:
            stack.callback(remove, place)
        if mount:
            stack.enter_context(small_disk(place / "runs", _DISK_MIB))
        attack = Attack(self._inputs, setup, rng, place)
        stack.callback(attack.end)
        return attack


def may_mount(root: Path) -> bool:
    """Returns whether this user may mount a file system."""
    try:
        with small_disk(root / "try", 1):
            return True
    except (PermissionError, FileNotFoundError):
        return False


def run(
    root: Path, faults: Sequence[Fault], ledger: Ledger, seed: int, *, can_mount: bool, keep: bool
) -> None:
    """Disturbs studies until all faults are done.

    Args:
        root: An empty folder with a short path.
        faults: What happens.
        ledger: Gets all that was found.
        seed: Of when it happens, and to which process or file.
        can_mount: Whether this user may mount file systems.
        keep: Whether the folders of the studies are kept.
    """
    rng = random.Random(seed)
    (root / "inputs").mkdir()
    place = Place(root, Inputs(root / "inputs"), keep=keep)
    wanted: dict[str, dict[str, Any]] = {}
    waiting = list(faults)
    start = time.monotonic()
    while waiting:
        [(setup, taken), *_] = studies_of(waiting, rng)
        if setup not in wanted:
            wanted[setup] = undisturbed(place, setup, rng)
        with contextlib.ExitStack() as stack:
            attack = place.study(setup, rng, stack, mount=can_mount)
            done = len(ledger.faults)
            try:
                attacked(attack, taken, ledger)
                failing = sum(fault.fails_trial for fault in taken)
                entry = judged(attack, wanted[setup], failing=failing)
            except (StuckError, AssertionError, OSError, ValueError) as error:
                entry = Entry("at the end", setup, faults=[f"stuck: {error}"])
                shutil.copyfile(attack.console, root / f"stuck-{len(ledger.studies)}.txt")
            ledger.studies.append(entry)
            print(
                f"{setup}: ended {len(ended_of(attack.folder))} trials, {entry.faults}", flush=True
            )
        # What the study ended too early for happens to another one.
        for fault in taken[: len(ledger.faults) - done]:
            waiting.remove(fault)
        ledger.seconds = time.monotonic() - start


def undisturbed(place: Place, setup: str, rng: random.Random) -> dict[str, Any]:
    """Runs the study of a setup without a fault."""
    with contextlib.ExitStack() as stack:
        attack = place.study(setup, rng, stack, mount=False)
        start = time.monotonic()
        attack.start()
        gone_on(attack, Entry("", setup), None, ())
        print(f"{setup}: undisturbed in {time.monotonic() - start:.0f} s", flush=True)
        return essence_of(attack.folder)


def main() -> None:
    """Runs it, and ends with 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=110, help="how many")
    parser.add_argument("--short", action="store_true", help="the ten of the test")
    parser.add_argument(
        "--searches", type=int, metavar="N", help="N kills of each sampler and scheduler instead"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ledger", type=Path, help="JSON lines, one per fault and study")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the studies")
    options = parser.parse_args()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell has its background jobs ignore Ctrl-C, and their children would do so, too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Leaves nothing, either.
    root, ledger = Path(tempfile.mkdtemp(prefix="ch", dir="/tmp")), Ledger()
    try:
        can_mount = may_mount(root)
        if not can_mount:
            print("without the kind 'disk full': this user may not mount a file system")
        faults = short() if options.short else drawn(options.faults, options.seed, can_mount)
        if options.searches:
            faults = of_searches(options.searches)
        with contextlib.suppress(KeyboardInterrupt):  # What was found so far is shown.
            run(root, faults, ledger, options.seed, can_mount=can_mount, keep=options.keep)
    except StuckError as error:  # Without a fault: nothing can be compared with that study.
        print(f"without a fault: stuck: {error}")
        ledger.studies.append(Entry("without a fault", "", faults=[f"stuck: {error}"]))
    finally:
        if not options.keep:
            remove(root)
    if options.ledger is not None:
        lines = [json.dumps(asdict(entry)) + "\n" for entry in (*ledger.faults, *ledger.studies)]
        options.ledger.write_text("".join(lines), encoding="utf-8")
    show(ledger)
    sys.exit(any(entry.faults for entry in (*ledger.faults, *ledger.studies)))


if __name__ == "__main__":
    main()
