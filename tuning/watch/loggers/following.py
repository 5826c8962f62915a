"""Keeps a service in step with a study: whatever it could not be told, it is told later, once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from mtl_core.reasons import reason_of
from tuning.records import TrialRecord
from tuning.watch.loggers.base import Service
from tuning.watch.loggers.final_rows import final_table
from tuning.watch.loggers.final_table import FinalTable
from tuning.watch.loggers.logged import Logged
from tuning.watch.watcher import Watcher

if TYPE_CHECKING:
    from tuning.study.result import Result


_MOST_FAILURES = 2
"""Runs that a service does not take one after the other, after which it is taken to be away."""


class Following(Watcher):
    """Tells a service of all runs of a study, those of earlier sessions included.

    The study folder is the truth, and the service a copy of it: a call that failed is made again
    with the next thing that happens, at the end of the session, and in the next session.
    """

    def __init__(
        self,
        service: Service,
        logged: Logged,
        records: Iterable[TrialRecord],
        tell: Callable[[str], None],
    ) -> None:
        """Begins with what earlier sessions did not log.

        Args:
            service: Where runs are logged.
            logged: What it has been told already.
            records: The runs of earlier sessions.
            tell: Tells the user a line.
        """
        self._service = service
        self._logged = logged
        self._tell = tell
        self._told = ""
        self._study: Literal["unknown", "runs", "ended"] = "unknown"
        """The run of the study, as the service has it in this session."""
        # The others begin again, and are told of then.
        self._behind = {one.id: one for one in records if one.has_ended}
        """Run id -> a run of which the service may lack something."""
        self._open: dict[str, TrialRecord] = {}
        """Run id -> a run that the service holds for running."""
        self._table: FinalTable | None = None

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Logs what earlier sessions did not log of the runs of a stage."""
        self._behind |= {record.id: record for record in ended}
        self._catch_up()

    def began(self, record: TrialRecord) -> None:
        """Logs what is new of a run."""
        self._behind[record.id] = record
        self._catch_up()

    def reported(self, record: TrialRecord) -> None:
        """Logs what is new of a run."""
        self.began(record)

    def paused(self, record: TrialRecord) -> None:
        """Logs what is new of a run, which stays open."""
        self.began(record)

    def ended(self, record: TrialRecord) -> None:
        """Logs what is new of a run, and how it ended."""
        self.began(record)

    def finished(self, result: "Result") -> None:
        """Logs the final scores, and ends the run of the study."""
        self._table = final_table(result)
        # At once: the end of a session waits for one logger after the other.
        self._end()

    def close(self) -> None:
        """Logs what is left; runs that have not ended were interrupted."""
        self._end()
        missing = len(self._behind)
        if missing:
            self._tell(
                f"{missing} run{'s are' if missing > 1 else ' is'} not logged whole; the study "
                "folder has all of it, and the same command logs the rest"
            )
        self._attempt(self._service.close)

    def _catch_up(self) -> None:
        """Tells what the service lacks, as far as it takes that."""
        failures = 0
        if not self._attempt(self._begin_study):
            return
        for record in tuple(self._behind.values()):
            del self._behind[record.id]
            if self._attempt(partial(self._bring, record)):
                continue
            # Behind the others: it may be this run that the service does not take.
            self._behind[record.id] = record
            failures += 1
            # Not all others as well: a service that is away is waited for each time.
            if failures == _MOST_FAILURES:
                return

    def _attempt(self, step: Callable[[], None]) -> bool:
        try:
            step()
        # Whatever a library or a server raises: what only watches must not end the study.
        except Exception as error:  # noqa: BLE001
            reason = reason_of(error)
            if reason != self._told:
                self._told = reason
                self._tell(f"{reason}; the study goes on, and this is logged later")
            return False
        return True

    def _begin_study(self) -> None:
        if self._study == "unknown":
            self._logged.note_study(self._service.begin_study(self._logged.study))
            self._study = "runs"

    def _bring(self, record: TrialRecord) -> None:
        """Tells what the service lacks of a run."""
        if record.id not in self._open and self._logged.has_all_of(record):
            return
        known = self._logged.run(record.id)
        if known is None or record.id not in self._open:
            known = self._service.begin(record, known)
            self._logged.note(record.id, known)
        self._open[record.id] = record
        for number in range(known.reports + 1, len(record.reports) + 1):
            self._service.report(known.id, record.reports[:number], number)
            known = replace(known, reports=number)
            self._logged.note(record.id, known)
        if record.has_ended:
            self._service.end(known.id, record)
            del self._open[record.id]
            self._logged.note(record.id, replace(known, status=record.status))

    def _end(self) -> None:
        self._catch_up()
        if self._study == "runs":
            self._attempt(self._end_study)

    def _end_study(self) -> None:
        for run_id, record in tuple(self._open.items()):
            known = self._logged.run(run_id)
            assert known is not None
            self._service.end(known.id, record)
            del self._open[run_id]
        assert self._logged.study is not None
        self._service.end_study(self._logged.study, self._table)
        self._study = "ended"
        if self._table is not None:
            self._logged.note_table(self._table)
