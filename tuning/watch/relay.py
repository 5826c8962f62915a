"""Tells the watcher of a study what happens in another that belongs to it, as runs of its own."""

from collections.abc import Sequence
from dataclasses import replace

from tuning.records import TrialRecord, run_id_of
from tuning.trainers.messages import TrainerStatus
from tuning.watch.watcher import Watcher


class Relay(Watcher):
    """Passes on runs and stages of a study of one task; its trials are no trials of the other."""

    def __init__(self, watcher: Watcher, name: str) -> None:
        """Passes on to a watcher.

        Args:
            watcher: The one of the study to which the other belongs.
            name: Stands before all run ids, "alone/intent" for instance.
        """
        self._watcher = watcher
        self._name = name

    def stage(self, text: str) -> None:
        """Says of which study it is."""
        self._watcher.stage(f"{self._name}: {text}")

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Says that they begin, and has them queued."""
        self.stage(f"searching: {trials} trials" if trials > 1 else "the study file's own recipe")
        self.queued([run_id_of(number) for number in range(trials)], ended)

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Passes it on."""
        told = [f"{self._name}/{run_id}" for run_id in run_ids]
        self._watcher.queued(told, [self._renamed(record) for record in ended])

    def began(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._watcher.began(self._renamed(record))

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """Passes it on: trainers know runs by their names among all studies already."""
        self._watcher.progressed(trainers)

    def reported(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._watcher.reported(self._renamed(record))

    def paused(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._watcher.paused(self._renamed(record))

    def ended(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._watcher.ended(self._renamed(record))

    def _renamed(self, record: TrialRecord) -> TrialRecord:
        return replace(record, id=f"{self._name}/{record.id}")
