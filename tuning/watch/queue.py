"""The runs of a stage that are no trials, as displays count them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tuning.records import TrialRecord


@dataclass(frozen=True, slots=True)
class Queue:
    """The runs of a stage that are no trials.

    Attributes:
        run_ids: All of them.
        records: Run id -> what is known of one that has begun.
    """

    run_ids: tuple[str, ...] = ()
    records: dict[str, TrialRecord] = field(default_factory=dict)

    @property
    def running(self) -> list[TrialRecord]:
        """Those that have begun and not ended, in this order."""
        return [record for record in self.records.values() if not record.has_ended]

    @property
    def left(self) -> int:
        """How many have not ended."""
        return len(self.run_ids) - sum(record.has_ended for record in self.records.values())

    @property
    def told(self) -> str:
        """How many have ended, to stand behind the stage; "" without any run."""
        count = len(self.run_ids)
        return f", {count - self.left} of {count} runs ended" if count else ""

    def epochs_left(self, epochs: float, done: Callable[[TrialRecord], float]) -> float:
        """Returns the epochs of all that have not ended.

        Args:
            epochs: Of a full run.
            done: Tells the epochs of one that runs.
        """
        return self.left * epochs - sum(done(record) for record in self.running)
