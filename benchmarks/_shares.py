"""Where the time of a study's trainers goes."""

import time
from collections.abc import Mapping

from tuning.records import TrialRecord
from tuning.watch.watcher import Watcher


class Clock(Watcher):
    """Takes the time of a study as it is told of it.

    Attributes:
        reports: (seconds since the start, dev score) of every report.
    """

    def __init__(self, trainers: int) -> None:
        """Begins; the start of Ray is yet to come.

        Args:
            trainers: Trainers of the study, with a trial each.
        """
        self.reports: list[tuple[float, float]] = []
        self._trainers = trainers
        self._start = time.perf_counter()
        self._first, self._last = 0.0, 0.0
        self._begun: dict[str, float] = {}
        self._in_trials, self._evaluation, self._reported = 0.0, 0.0, 0.0

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def began(self, record: TrialRecord) -> None:
        """Notes when a trial began."""
        self._begun[record.id] = now = self._now()
        self._first = self._first or now

    def reported(self, record: TrialRecord) -> None:
        """Adds up what a report took."""
        report = record.reports[-1]
        self.reports.append((self._now(), report.combined))
        self._reported += report.seconds
        self._evaluation += report.evaluation_seconds

    def paused(self, record: TrialRecord) -> None:
        """Notes that a trial left its trainer."""
        self._last = self._now()
        self._in_trials += self._last - self._begun.pop(record.id)

    ended = paused

    def shares(self) -> Mapping[str, float]:
        """Returns what -> its share of the trainers' time up to now; they sum to 1."""
        all_of_it = self._trainers * self._now()
        between = self._trainers * (self._last - self._first) - self._in_trials
        seconds = {
            "start of Ray, processes and data": self._trainers * self._first,
            "training": self._reported - self._evaluation,
            "evaluation": self._evaluation,
            "checkpoints and messages": self._in_trials - self._reported,
            "no trial to train": between,
            "test scores, model and report": self._trainers * (self._now() - self._last),
        }
        return {what: one / all_of_it for what, one in seconds.items()}
