"""What a service has been told of a study, kept in the study folder from session to session."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mtl_core.files import write_json
from mtl_core.kept import read_kept
from mtl_core.number_types import KEPT, Count
from tuning.records import Status, TrialRecord
from tuning.watch.loggers.final_table import FinalTable


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run as a service has it.

    Attributes:
        id: By which the service knows it.
        reports: How many of its reports it was told.
        status: How it ended; None as long as it goes on, or may go on.
    """

    __pydantic_config__ = KEPT

    id: str
    reports: Count = 0
    status: Status | None = None

    def has_all_of(self, record: TrialRecord) -> bool:
        """Whether the service has been told all that there is of a run."""
        ended = record.status if record.has_ended else None
        return self.reports == len(record.reports) and self.status == ended


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of the file.

    Attributes:
        place: Where the service logs, for people.
        study: Id of the run of the study itself; None = there is none.
        final: Hash of the final scores that it has; None = it has none.
        runs: Run id -> the run.
    """

    __pydantic_config__ = KEPT

    place: str
    study: str | None = None
    final: str | None = None
    runs: Mapping[str, LoggedRun] = field(default_factory=dict)


class Logged:
    """The file; written after each change, by the process that logs alone."""

    def __init__(self, folder: Path, kind: str, place: str) -> None:
        """Reads it, or begins with nothing.

        Args:
            folder: The study folder.
            kind: Of the logger.
            place: Where it logs: another place begins with nothing.

        Raises:
            BrokenError: The file is broken.
        """
        self.path = path_of(folder, kind, place)
        remedy = "remove it: all of the study is then logged once more, as new runs"
        self._content = read_kept(self.path, _Content, remedy=remedy) or _Content(place)

    @property
    def study(self) -> str | None:
        """Id of the run of the study itself."""
        return self._content.study

    def run(self, run_id: str) -> LoggedRun | None:
        """Returns what the service has of a run; None = nothing."""
        return self._content.runs.get(run_id)

    def has_all_of(self, record: TrialRecord) -> bool:
        """Whether the service has been told all that there is of a run."""
        known = self.run(record.id)
        return known is not None and known.has_all_of(record)

    def has_table(self, table: FinalTable) -> bool:
        """Whether the service has these final scores."""
        return self._content.final == _hash(repr(table))

    def note_study(self, study: str) -> None:
        """Notes the run of the study itself."""
        self._write(replace(self._content, study=study))

    def note_table(self, table: FinalTable) -> None:
        """Notes that the service has the final scores."""
        self._write(replace(self._content, final=_hash(repr(table))))

    def note(self, run_id: str, run: LoggedRun) -> None:
        """Notes what the service has of a run now."""
        self._write(replace(self._content, runs={**self._content.runs, run_id: run}))

    def _write(self, content: _Content) -> None:
        if content != self._content:
            self.path.parent.mkdir(exist_ok=True)
            write_json(self.path, asdict(content))
            self._content = content


def path_of(folder: Path, kind: str, place: str) -> Path:
    """Returns the file for a logger; see `Logged`."""
    return folder / "loggers" / f"{kind}-{_hash(place)}.json"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
