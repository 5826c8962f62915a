"""The wall time of a study over all its sessions, kept in its journal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from optuna import Study as OptunaStudy


class StudyClock:
    """Adds the time of this session to that of the sessions before.

    The order of calls is `count` when work begins, `note` now and then, so that a killed driver
    loses little, and `stop` when the result is written. A session that never counts, because it
    only shows a finished study, leaves the journal as it is.
    """

    def __init__(self, optuna_study: OptunaStudy, *, start: float) -> None:
        """Makes the clock of a session that began at `start` on the monotonic clock."""
        self._optuna_study = optuna_study
        self._start = start
        # Read once: `note` overwrites it with a sum that already has this session in it.
        self._before = float(optuna_study.user_attrs.get("seconds", 0.0))
        self._is_counting = False

    @property
    def seconds(self) -> float:
        """Wall time of the study; a session that was killed counts to the end of its last trial."""
        return self._before + time.monotonic() - self._start

    def count(self) -> None:
        """Says that this session works: to look at what is there takes no time of the study."""
        self._is_counting = True

    def note(self) -> None:
        """Writes the time so far into the journal, as long as the clock counts."""
        if self._is_counting:
            self._optuna_study.set_user_attr("seconds", self.seconds)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Counts no time meanwhile: what is done is another study's."""
        self.note()
        begun = time.monotonic()
        try:
            yield
        finally:
            self._start += time.monotonic() - begun

    def stop(self) -> float:
        """Ends the count; returns the time for `result.json`, in seconds with two decimals.

        The journal gets this same number, so that a report that is written anew, which takes the
        later of the two, says what the first one said.
        """
        seconds = round(self.seconds, 2)
        if self._is_counting:
            self._optuna_study.set_user_attr("seconds", seconds)
            self._is_counting = False
        return seconds
