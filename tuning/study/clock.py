"""The wall time of a study over all its sessions, kept in its journal."""

import time

from optuna import Study as OptunaStudy


class StudyClock:
    """Adds the time of this session to that of the sessions before."""

    def __init__(self, optuna_study: OptunaStudy, *, start: float) -> None:
        """Makes the clock of a session that began at `start` on the monotonic clock."""
        self._optuna_study = optuna_study
        self._start = start
        self._before = float(optuna_study.user_attrs.get("seconds", 0.0))
        self._is_counting = False

    @property
    def seconds(self) -> float:
        """Wall time of the study; of a session that was killed, to its last trial."""
        return self._before + time.monotonic() - self._start

    def count(self) -> None:
        """Says that this session works: to look at what is there takes no time of the study."""
        self._is_counting = True

    def note(self) -> None:
        """Writes the time so far into the journal."""
        if self._is_counting:
            self._optuna_study.set_user_attr("seconds", self.seconds)
