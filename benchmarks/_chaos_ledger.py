"""The ledger of `chaos.py`: a line per fault and per study, and what they come to."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from _chaos_attack import Entry
from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Ledger:
    """All faults, and what was found of the studies when they had ended.

    Attributes:
        faults: One entry per fault.
        studies: One entry per study, whose faults are those of its end.
        seconds: Wall time of all of it.
    """

    faults: list[Entry] = field(default_factory=list)
    studies: list[Entry] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, word: str) -> int:
        """Returns how many findings begin with a word."""
        entries = [*self.faults, *self.studies]
        return sum(fault.startswith(word) for entry in entries for fault in entry.faults)


def show(ledger: Ledger) -> None:
    """Prints a line per kind of fault, and the sums."""
    table = Table("fault", "times", "repeated s", "further after s", "wrong", title="Faults")
    kinds = sorted({entry.kind for entry in ledger.faults})
    for kind in kinds:
        of_kind = [entry for entry in ledger.faults if entry.kind == kind]
        wrong = sorted({fault[:60] for entry in of_kind for fault in entry.faults})
        table.add_row(
            kind,
            str(len(of_kind)),
            _median_and_most([entry.unsaved for entry in of_kind]),
            _median_and_most([entry.recovery for entry in of_kind]),
            "; ".join(wrong),
        )
    console = Console(width=140)
    console.print(table)
    repeated = [entry.unsaved for entry in ledger.faults] or [0.0]
    console.print(
        f"{len(ledger.faults)} faults in {len(ledger.studies)} studies, {ledger.seconds / 60:.0f} "
        f"minutes; repeated per fault, seconds: median and most {_median_and_most(repeated)}"
    )
    for name, word in (
        ("trials lost", "lost"), ("told twice", "twice"), ("studies that differ", "differs"),
        ("stuck", "stuck"), ("processes left", "process left"), ("files half-written", "half"),
        ("tracebacks", "a traceback"), ("Ray's sessions left", "sessions"),
    ):  # fmt: skip
        console.print(f"{name}: {ledger.count(word)}")


def _median_and_most(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f}, {max(values):.1f}"
