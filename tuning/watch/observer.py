"""Who watches a study: the contract of displays, of the log file, and of a user's own."""

import logging
from collections.abc import Iterable, Sequence

from tuning.records import TrialRecord
from tuning.trainers.messages import TrainerStatus

logger = logging.getLogger(__name__)


class Observer:
    """Told of everything that happens in a study; override what you want to hear of.

    Calls come one at a time, from the thread that runs the study, which waits for them: be quick.
    A trial is told of in the order `began`, any number of `reported` and `progressed`, `ended`.
    """

    def stage(self, text: str) -> None:
        """A new stage began, for instance "starting 2 trainers"; may be told again."""

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """The search begins: trials in all, those that ended before, epochs of a full trial."""

    def began(self, record: TrialRecord) -> None:
        """A trial began, or goes on after a restart."""

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """About every second of the search: what each trainer does."""

    def reported(self, record: TrialRecord) -> None:
        """An epoch ended; the newest report is the record's last."""

    def ended(self, record: TrialRecord) -> None:
        """A trial ended; the record's status says how."""


class Observers(Observer):
    """Tells several observers, in their order; one that raises is told no more.

    A fault in what only watches must not end the study that it watches.
    """

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def stage(self, text: str) -> None:
        """Tells all."""
        self._tell("stage", text)

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Tells all."""
        self._tell("planned", trials=trials, ended=ended, epochs=epochs, trainers=trainers)

    def began(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("began", record)

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """Tells all."""
        self._tell("progressed", trainers)

    def reported(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("reported", record)

    def ended(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("ended", record)

    def _tell(self, what: str, *values: object, **named: object) -> None:
        for observer in tuple(self._observers):
            try:
                getattr(observer, what)(*values, **named)
            except SystemExit:  # Rich's, when nobody reads the pipe any more that it prints to.
                self._observers.remove(observer)
            except Exception:
                self._observers.remove(observer)
                logger.exception(
                    "%s failed in `%s`, and is told no more of this study",
                    type(observer).__name__,
                    what,
                )
