"""What a search may cost, and when it ends because nothing is gained any more."""

from collections.abc import Callable

from tuning.records import EndedBy, order_of
from tuning.search.limits import Limits
from tuning.study.config import Study
from tuning.study.history import History

_HOUR = 3600.0


class Budget(Limits):
    """Compares what a study has done so far with its limits.

    It keeps no count of its own: all of it follows from the trials and the clock, also after a
    restart, and a limit that is raised lets a study go on that had ended by it.
    """

    def __init__(
        self, study: Study, trials: int, history: History, seconds: Callable[[], float]
    ) -> None:
        """Watches over a search.

        Args:
            study: Its limits.
            trials: How many trials it has at most.
            history: Its trials, kept up to date.
            seconds: Returns the wall time of the study so far, over all its sessions.
        """
        self._study = study
        self._trials = trials
        self._history = history
        self._seconds = seconds

    def spent(self) -> EndedBy | None:
        """Returns the limit by which trials that run end at their next report; None = none yet."""
        if self._study.hours is not None and self._seconds() >= self._study.hours * _HOUR:
            return "hours"
        if (
            self._study.total_epochs is not None
            and epochs_of(self._history) >= self._study.total_epochs
        ):
            return "total_epochs"
        return None

    def over(self) -> EndedBy | None:
        """Returns the limit by which no trial begins any more; None = none yet."""
        if (spent := self.spent()) is not None:
            return spent
        if len(self._history) >= self._trials:
            return "trials"
        patience = self._study.patience
        return "patience" if patience is not None and in_vain(self._history) >= patience else None


def epochs_of(history: History) -> float:
    """Returns the epochs that all trials of a study have run together."""
    return sum(record.reports[-1].progress for record in history if record.reports)


def in_vain(history: History) -> int:
    """Returns how many trials after the best one have ended, or rest, without being better.

    The number that Optuna's `BestValueStagnationEvaluator` goes by, with trials that were stopped
    early among them: with a scheduler most end so.
    """
    best = history.best
    if best is None:
        return 0
    after = [record for record in history if order_of(record.id) > order_of(best.id)]
    return sum(record.status != "running" for record in after)
