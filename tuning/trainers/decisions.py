"""What becomes of a run after a report: given by schedulers, obeyed by the pool and the workers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GoOn:
    """The run goes on with its next epoch."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The run ends here; its checkpoint stays as it is."""


Decision = GoOn | Stop
