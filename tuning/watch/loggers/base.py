"""The contract of loggers: services beside the study folder that are told of all its runs."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.extras import check_installed
from mtl_core.section import Section
from mtl_core.training.report import Report
from tuning.records import TrialRecord
from tuning.watch.loggers.final_table import FinalTable
from tuning.watch.loggers.logged import LoggedRun
from tuning.watch.scalars import scalars_of


@dataclass(frozen=True, slots=True)
class LoggedStudy:
    """The study that is logged.

    Attributes:
        name: Its name.
        folder: Its folder, absolute.
    """

    name: str
    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "LoggedStudy":
        """Returns the study of a folder, which has its name."""
        return cls(folder.name, folder.absolute())


class Service:
    """A place where runs are logged, opened for one study.

    Calls come one at a time: `begin_study` first, per run `begin`, any number of `report`, and
    `end` where the run is over or the session is; `close` last. Any of them may raise what the
    service raises; the call then comes again later, with what else there is by then.
    """

    @abstractmethod
    def begin_study(self, known: str | None) -> str:
        """Makes the run of the study itself, below which all others stand, or goes on with it.

        Args:
            known: What this returned in an earlier session; None = it is new.

        Returns:
            The id by which the service knows it.
        """

    @abstractmethod
    def begin(self, record: TrialRecord, known: LoggedRun | None) -> LoggedRun:
        """Makes a run, or goes on with one; it runs from now on.

        Args:
            record: The run.
            known: What it was told of the run in an earlier session; None = it is new.

        Returns:
            What the service has of the run; reports that it has not come next.
        """

    @abstractmethod
    def report(self, run: str, reports: Sequence[Report], number: int) -> None:
        """Logs a report of a run that has begun.

        Args:
            run: Id of the run, see `begin`.
            reports: All of the run up to this one, oldest first.
            number: Its number, from 1: what curves are drawn over.
        """

    @abstractmethod
    def end(self, run: str, record: TrialRecord) -> None:
        """Ends a run, in the state that its record says; one that has not ended was interrupted."""

    @abstractmethod
    def end_study(self, run: str, table: FinalTable | None) -> None:
        """Ends the run of the study.

        Args:
            run: What `begin_study` returned.
            table: The final scores; None when the study is not finished.
        """

    def close(self) -> None:
        """Nothing is told after this; what is still on its way goes first."""


class LoggerBase(Section):
    """Where runs are logged beside the study folder; `open` reaches the service."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call the service."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the process that logs, where they are not set."""
        return {}

    @abstractmethod
    def place(self, study: LoggedStudy) -> str:
        """Returns where it logs: with another place all runs are logged there anew."""

    @abstractmethod
    def told(self, study: LoggedStudy) -> str:
        """Returns where people find what is logged, and how they look at it."""

    @abstractmethod
    def open(self, study: LoggedStudy) -> Service:
        """Returns the service, in the process that logs; imports its package."""

    def check(self, where: str) -> None:
        """Refuses what cannot be logged with what is installed here; reaches for no network.

        Args:
            where: The key of the section, with which an error begins.

        Raises:
            ConfigError: A package or a key is missing.
        """
        check_installed(self.modules, what=f"{where}.kind")


def metrics_of(reports: Sequence[Report]) -> Mapping[str, float]:
    """Returns name -> value of the newest report, epochs among them; finite numbers alone.

    The names are those of TensorBoard, see `scalars_of`.

    Args:
        reports: All of the run up to this one, oldest first.
    """
    values = {**scalars_of(reports), "epochs": reports[-1].progress}
    # Services differ in what they make of NaN, which says no more than the gap in a curve.
    return {name: value for name, value in values.items() if abs(value) < float("inf")}


def parameters_of(record: TrialRecord) -> dict[str, object]:
    """Returns what a run was drawn with; of one that is no trial also its seed, if it has one."""
    seeds = {} if record.is_trial else record.overrides
    return {**record.parameters, **{key: seeds[key] for key in ("seed",) if key in seeds}}


def sort_of(run_id: str) -> str:
    """Returns what a run is: "trial", or what its run id begins with, such as "final"."""
    head, slash, _ = run_id.partition("/")
    return head if slash else "trial"
