"""Decisions on a run after a report: schedulers make them, the pool and the workers obey."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GoOn:
    """The run goes on to its next report."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The run ends here; its checkpoint stays as it is."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The run leaves its trainer, which is free at once; it may go on later from its checkpoint."""


Decision = GoOn | Stop | Pause
