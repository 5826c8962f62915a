"""Damaged files and bad input, drawn from a seed: none may end in a traceback, hang or write.

Each row is a module of the tests that draws cases (`tests/answers.py` has the contract); the tests
take some of them, this takes many. `--share 0.1` takes a tenth.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from _damage import of_tests
from rich.console import Console
from rich.table import Table

SUBJECTS = {
    "study folders": ("damaged_study_folders", 300),
    "model folders": ("damaged_models", 150),
    "caches and checkpoints": ("damaged_caches", 100),
    "command lines": ("damaged_commands", 500),
    "study files, mutated": ("damaged_study_files", 10_000),
    "data files, mutated": ("damaged_data_files", 10_000),
}
"""What is damaged -> the module that draws it, and how many cases are asked for."""


@dataclass(slots=True)
class Found:
    """What came of the cases of one subject.

    Attributes:
        cases: How many there were.
        slowest: Seconds of the slowest one.
        seconds: Of all.
        faults: Name of a case -> what was wrong.
    """

    cases: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    faults: dict[str, str] = field(default_factory=dict)


def run(module: str, count: int, seed: int, folder: Path) -> Found:
    """Tries the cases of a module."""
    found, start = Found(), time.monotonic()
    for case in of_tests(module).cases(folder, seed, count):
        before = time.monotonic()
        fault = case.fault()
        found.cases += 1
        found.slowest = max(found.slowest, time.monotonic() - before)
        if fault is not None:
            found.faults[case.name] = fault
            print(f"{case.name}: {fault}", file=sys.stderr)
    found.seconds = time.monotonic() - start
    return found


def main() -> None:
    """Runs all, or those that are named, and ends with 1 when any case was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SUBJECTS, action="append", help="one subject")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = Table("damaged", "cases", "faults", "slowest s", "minutes")
    results = []
    for name in options.only or SUBJECTS:
        module, count = SUBJECTS[name]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = run(module, round(count * options.share), options.seed, Path(folder))
        results.append(found)
        figures = (str(found.cases), str(len(found.faults)), f"{found.slowest:.1f}")
        table.add_row(name, *figures, f"{found.seconds / 60:.1f}")
    Console(width=100).print(table)
    sys.exit(any(found.faults for found in results))


if __name__ == "__main__":
    main()
