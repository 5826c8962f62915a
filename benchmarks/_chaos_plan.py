"""Which faults happen to which study: all kinds before any comes again, and the ten of a test."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from _chaos_faults import AT_THE_END, FAULTS, Fault

SHORT = (
    "worker killed", "Tune actor killed", "controller killed", "worker: segfault",
    "controller killed", "worker stopped for a while", "second driver", "driver: Ctrl-C",
    "damaged file", "driver killed at result.json",
)  # fmt: skip
"""The faults of the short version, which is a test: to one study, whose trials are enough for them.

Those that a Ray outlives come first, so that it has to outlive all of them: whatever a controller
that was killed has reserved would be missing when the second one is.
"""

PER_STUDY = 10
"""Faults to a study: more would be mostly starts."""


def drawn(count: int, seed: int, can_mount: bool) -> list[Fault]:
    """Returns so many faults: every kind before any comes again, the frequent ones more often."""
    rng = random.Random(seed)
    kinds = [fault for fault in FAULTS if can_mount or fault.name != "disk full"]
    rng.shuffle(kinds)
    more = rng.choices(kinds, weights=[fault.weight for fault in kinds], k=count)
    return [*kinds, *more][:count]


def studies_of(faults: Sequence[Fault], rng: random.Random) -> Iterator[tuple[str, list[Fault]]]:
    """Deals faults to studies that they can happen to."""
    waiting = list(faults)
    while waiting:
        setup = rng.choice(waiting[0].setups)
        taken = [fault for fault in waiting if setup in fault.setups][:PER_STUDY]
        for fault in taken:
            waiting.remove(fault)
        # Files that are written at the end of a study come last.
        yield setup, sorted(taken, key=lambda fault: fault.name.endswith(AT_THE_END))


def short() -> list[Fault]:
    """Returns the faults of the short version."""
    named = {fault.name: fault for fault in FAULTS}
    # One study file for all: each has to be run once without a fault.
    return [replace(named[name], setups=("short",)) for name in SHORT]
