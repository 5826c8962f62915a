"""Who watches a study: the live table of the command line, or nobody."""

from typing import Protocol

from tuning.records import TrialRecord


class Observer(Protocol):
    """Told of everything that happens in a study, in the driver's main thread."""

    def stage(self, text: str) -> None:
        """A new stage began, for instance "starting 2 trainers"."""

    def planned(self, *, trials: int, ended: int, epochs: int, trainers: int) -> None:
        """The search begins: trials in all, those that ended before, epochs of a full trial."""

    def began(self, record: TrialRecord) -> None:
        """A trial began, or goes on after a restart."""

    def reported(self, record: TrialRecord) -> None:
        """An epoch ended; the newest report is the record's last."""

    def ended(self, record: TrialRecord) -> None:
        """A trial ended; the record's status says how."""


class Silence:
    """The observer of notebooks and tests."""

    def stage(self, text: str) -> None:
        """Says nothing."""

    def planned(self, *, trials: int, ended: int, epochs: int, trainers: int) -> None:
        """Says nothing."""

    def began(self, record: TrialRecord) -> None:
        """Says nothing."""

    def reported(self, record: TrialRecord) -> None:
        """Says nothing."""

    def ended(self, record: TrialRecord) -> None:
        """Says nothing."""
