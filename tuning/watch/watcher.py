"""Who watches a study: the contract of displays, log, trials.csv, TensorBoard, a user's own."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mtl_core.errors import StorageError
from mtl_core.full_disk import storage_error
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.trainers.messages import TrainerStatus

if TYPE_CHECKING:
    from tuning.study.result import Result

logger = logging.getLogger(__name__)


class Watcher:
    """Told of everything that happens in a study; override what you want to hear of.

    Calls come one at a time, from the thread that runs the study, which waits for them: be quick.
    A trial is told of in the order `began`, any number of `reported` and `progressed`, `ended`; one
    that was `paused` begins again or ends, and one that was interrupted begins again in the next
    session. `began`, `reported` and `ended` also tell of runs that are no trials, those of the
    final stage for instance: `record.is_trial` says what it is. `close` is the last call.
    """

    def stage(self, text: str) -> None:
        """A new stage began, for instance "starting 2 trainers"; may be told again."""

    def aimed(self, goal: Goal) -> None:
        """It is known by what trials are compared; comes before any trial is told of."""

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """The search begins: trials in all, those that ended before, epochs of a full trial."""

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Runs that are no trials are to be trained: all of a stage, and those that ended before.

        Args:
            run_ids: Of all of them.
            ended: Those of them that ended in an earlier session.
        """

    def began(self, record: TrialRecord) -> None:
        """A trial began, or goes on after a pause or a restart."""

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """About every second of training: what each trainer does."""

    def reported(self, record: TrialRecord) -> None:
        """A trial reports; its newest report is the record's last."""

    def paused(self, record: TrialRecord) -> None:
        """A trial left its trainer; the scheduler may let it go on later."""

    def ended(self, record: TrialRecord) -> None:
        """A trial ended; the record's status says how."""

    def finished(self, result: "Result") -> None:
        """The study has its result, which stands in `result.json` already."""

    def close(self) -> None:
        """The session is over, whatever ended it; nothing is told after this."""


class Watchers(Watcher):
    """Tells several watchers, in their order; one that raises is told no more.

    A fault in what only watches must not end the study that it watches. One that meets a full disk
    is told on: with its next call, or at the end, it writes what it could not.
    """

    def __init__(self, watchers: Iterable[Watcher] = ()) -> None:
        self._watchers = list(watchers)
        self._without_room: list[Watcher] = []

    def add(self, watchers: Iterable[Watcher]) -> None:
        """Tells these as well from now on."""
        self._watchers.extend(watchers)

    def stage(self, text: str) -> None:
        """Tells all."""
        self._tell("stage", text)

    def aimed(self, goal: Goal) -> None:
        """Tells all."""
        self._tell("aimed", goal)

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Tells all."""
        self._tell("planned", trials=trials, ended=ended, epochs=epochs, trainers=trainers)

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Tells all."""
        self._tell("queued", run_ids, ended)

    def began(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("began", record)

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """Tells all."""
        self._tell("progressed", trainers)

    def reported(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("reported", record)

    def paused(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("paused", record)

    def ended(self, record: TrialRecord) -> None:
        """Tells all."""
        self._tell("ended", record)

    def finished(self, result: "Result") -> None:
        """Tells all."""
        self._tell("finished", result)

    def close(self) -> None:
        """Tells all."""
        self._tell("close")

    def _tell(self, what: str, *values: object, **named: object) -> None:
        # A copy, since a watcher that fails is taken out of the list.
        for watcher in tuple(self._watchers):
            try:
                getattr(watcher, what)(*values, **named)
            # `KeyboardInterrupt` goes through: it is the user's, and ends the study.
            except SystemExit:  # Rich's, when nobody reads the pipe any more that it prints to.
                self._watchers.remove(watcher)
            except Exception as error:
                full = storage_error(error)
                if full is not None:
                    self._warn(watcher, full)
                    continue
                self._watchers.remove(watcher)
                logger.exception(
                    "%s failed in `%s`, and is told no more of this study",
                    type(watcher).__name__,
                    what,
                )

    def _warn(self, watcher: Watcher, full: StorageError) -> None:
        # Once: a study of many trials would say it hundreds of times.
        if watcher not in self._without_room:
            self._without_room.append(watcher)
            logger.warning("%s; the study goes on, and this is tried again", full)
