"""The contract of schedulers: after every report, one decides whether the run goes on."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mtl_core.section import Section
from mtl_core.training.report import Report
from tuning.space.perturbation import Perturbation
from tuning.trainers.decisions import Decision, GoOn


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A paused run goes on from a copy of the checkpoint of another.

    Attributes:
        donors: Run ids of those of which one is drawn; all are paused, after as many reports.
        perturbation: Changes the donor's recipe, as far as a checkpoint allows it.
    """

    donors: tuple[str, ...]
    perturbation: Perturbation


class Scheduler:
    """Decides on runs, which it knows by their run ids: the same before and after a restart.

    This one stops none; others override `decide`. Calls come per run: `begin`, any number of
    `decide`, and `forget` when it is over. One that paused reports again after `next_paused` has
    named it.

    Nothing of a scheduler is stored. After a restart a new one is shown all reports in the order in
    which they came, and none of the calls of `next_paused` between them: a report of a run that
    paused tells it that the run has gone on. A run that was named and has not reported since is
    then paused once more, and may be named again.

    Attributes:
        waits_for_all: Whether no run goes on before all points of the study are drawn. Then every
            run that pauses goes on in time, and trial 0 may pause, too.
    """

    waits_for_all: ClassVar[bool] = False

    def begin(self, run_id: str) -> None:
        """A run began, or goes on after a restart."""

    def decide(self, run_id: str, report: Report) -> Decision:
        """Takes note of a report, whose `combined` is finite; returns what becomes of the run."""
        del run_id, report
        return GoOn()

    def next_paused(self) -> str | None:
        """Returns the paused run that goes on now, which counts as running from here on.

        Asked whenever a trainer is free, before a new point is drawn; None = none is to go on now.
        """
        return None

    def take_over(self, run_id: str) -> TakeOver | None:
        """Returns from whose checkpoint a run goes on that `next_paused` has just named.

        None = from its own.
        """
        del run_id
        return None

    def last_paused(self) -> str | None:
        """Returns the paused run that goes on although `next_paused` names none.

        Asked when no run is left and no point either: a study should end with a recipe that was
        trained to its end. None = all that is paused ends.
        """
        return None

    def forget(self, run_id: str) -> None:
        """A run failed, or is over in another way: it reports no more. Its reports still count."""

    def describe(self) -> str:
        """Returns one line about its state, for logs."""
        return type(self).__name__


Values = Callable[[Report], Sequence[float]]
"""The values of a report that are compared, higher is better."""


def combined_alone(report: Report) -> tuple[float]:
    """Returns what a study of one objective compares."""
    return (report.combined,)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is to schedule.

    Attributes:
        trials: Trials of the study.
        max_epochs: Epochs of its longest trial.
        report_epochs: Epochs from one report of a trial to the next; 0.1 = ten reports per epoch.
        objectives: Values that the study maximises.
    """

    trials: int
    max_epochs: int
    report_epochs: float = 1.0
    objectives: int = 1


class SchedulerBase(Section):
    """Which trials end early; `build` makes the scheduler of a study."""

    @abstractmethod
    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`.

        Args:
            max_epochs: Epochs of the longest trial.
            values: The objectives of the study. Most schedulers compare `combined`, which is the
                mean of several.
        """

    @property
    def changes_recipes(self) -> bool:
        """Whether runs take over from others, with recipes that are changed."""
        return False

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields what would have no effect in such a study: lines that name the keys."""
        del extent
        yield from ()
