"""Population based training: trials learn side by side, and the worse go on as copies."""

from collections.abc import Iterator
from math import ceil
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from mtl_core.training.report import Report
from tuning.records import DEFAULT_ID, order_of
from tuning.search.schedulers.base import (
    Extent,
    Scheduler,
    SchedulerBase,
    TakeOver,
    Values,
    combined_alone,
)
from tuning.search.schedulers.rungs import SLACK
from tuning.space.perturbation import Perturbation
from tuning.trainers.decisions import Decision, GoOn, Pause

Factor = Annotated[float, Field(gt=0)]


class PbtSection(SchedulerBase):
    """Population based training (Jaderberg et al. 2017): the worst trials go on as copies.

    https://arxiv.org/abs/1711.09846. All trials are one population. They pause after every
    interval, and take turns on the trainers; when all have come there, the worst of them take over
    the weights of the best and go on with rates and weights of tasks that are changed a little.
    """

    kind: Literal["pbt"] = "pbt"
    interval: Annotated[float, Field(gt=0)] = 1.0
    """Epochs from one comparison to the next."""
    quantile: Annotated[float, Field(gt=0, le=0.5)] = 0.25
    """Share of the trials that take over from as many of the best."""
    resample: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the values that are then drawn anew, instead of changed by a factor."""
    factors: Annotated[tuple[Factor, ...], Field(min_length=1)] = (0.8, 1.2)
    """By one of these a number is multiplied; of a choice the value becomes a neighbour."""

    @field_validator("factors")
    @classmethod
    def _check_factors(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if set(factors) == {1.0}:
            raise ValueError("expected a factor other than 1, by which something changes")
        return factors

    @property
    def changes_recipes(self) -> bool:
        """Always true."""
        return True

    def build(self, max_epochs: int, values: Values = combined_alone) -> Scheduler:
        """Returns the scheduler of a study whose trials run up to `max_epochs`."""
        del values
        perturbation = Perturbation(self.resample, self.factors)
        return Pbt(self.interval, max_epochs, self.quantile, perturbation)

    def doubts(self, extent: Extent) -> Iterator[str]:
        """Yields why no trial would take over from another."""
        here = f"study.scheduler.interval is {self.interval:g}"
        if max(self.interval, extent.report_epochs) >= extent.max_epochs * (1 - SLACK):
            yield (
                f"{here}, and trials run {extent.max_epochs:g} epochs (run.training.epochs): none "
                "is compared before its end"
            )
        if extent.trials < 2:
            yield f"study.trials is {extent.trials}: a population of one has nobody to learn from"


class Pbt(Scheduler):
    """A population in generations: each is compared when all of its trials have come so far.

    Nobody is compared with those that have trained for less or more, and what becomes of a trial
    hangs on the reports alone, not on which came first: any number of trainers comes to the same.
    """

    waits_for_all: ClassVar[bool] = True

    def __init__(
        self, interval: float, max_epochs: float, quantile: float, perturbation: Perturbation
    ) -> None:
        """Starts without any run.

        Args:
            interval: Epochs of a generation.
            max_epochs: Epochs of the longest run.
            quantile: Share of the runs that take over, at most a half.
            perturbation: Changes what they take over.
        """
        self._interval = interval
        self._end = max_epochs * (1 - SLACK)
        self._quantile = quantile
        self._perturbation = perturbation
        self._generation: dict[str, int] = {}
        """Run id -> intervals that it has done, of the runs that are not over."""
        self._scores: dict[int, dict[str, float]] = {}
        """Generation -> run id -> score at its end."""
        self._paused: set[str] = set()

    def begin(self, run_id: str) -> None:
        """Adds a run to the population."""
        self._generation.setdefault(run_id, 0)

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Pause` for a run that has done another interval."""
        done = int(report.progress / self._interval * (1 + SLACK))
        if done <= self._generation.get(run_id, 0):
            return GoOn()
        self._paused.discard(run_id)  # It went on, before a restart.
        self._generation[run_id] = done
        self._scores.setdefault(done, {})[run_id] = report.combined
        if report.progress >= self._end:
            return GoOn()
        self._paused.add(run_id)
        return Pause()

    def next_paused(self) -> str | None:
        """Returns the next run of the last generation that all runs have done.

        First those that take over: their donors stand still until that is done.
        """
        last = min(self._generation.values(), default=0)
        waiting = [run_id for run_id in self._paused if self._generation[run_id] == last]
        worst, _ = self._split(last)
        for run_id in sorted(waiting, key=lambda one: (one not in worst, order_of(one))):
            self._paused.discard(run_id)
            return run_id
        return None

    def take_over(self, run_id: str) -> TakeOver | None:
        """Returns the best of its generation for one of the worst."""
        generation = self._generation[run_id]
        worst, best = self._split(generation)
        # Not those that are over, or have gone on: they do not stand where this run does.
        still = [one for one in best if one in self._paused and self._generation[one] == generation]
        return TakeOver(tuple(still), self._perturbation) if run_id in worst and still else None

    def forget(self, run_id: str) -> None:
        """Takes a run out of the population."""
        self._generation.pop(run_id, None)
        self._paused.discard(run_id)

    def describe(self) -> str:
        """Returns how far the population is."""
        last = min(self._generation.values(), default=0)
        return f"{len(self._generation)} runs, {last} generations; {len(self._paused)} wait"

    def _split(self, generation: int) -> tuple[list[str], list[str]]:
        """Returns the worst and the best of a generation, also of runs that are over since.

        As many of both, never all. The study's own recipe may be copied, and never is a copy.
        """
        scores = self._scores.get(generation, {})
        ranked = sorted(scores, key=lambda one: (-scores[one], order_of(one)))
        count = min(ceil(len(ranked) * self._quantile), len(ranked) // 2)
        best, worst = ranked[:count], ranked[len(ranked) - count :]
        return [run_id for run_id in worst if run_id != DEFAULT_ID], best
