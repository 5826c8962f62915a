"""Studies in virtual time: real searchers and schedulers, trainings from a model of curves."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from _curves import TASKS
from _surrogate import Floats, Surrogate

from mtl_core.training.report import Report


@dataclass(frozen=True, slots=True)
class Point:
    """A run that a trainer is to take.

    Attributes:
        run_id: Its name; a run that goes on after a pause has the same.
        parameters: What was drawn, by name.
        done: Reports that it has made before.
        donor: Name of the run from whose checkpoint it goes on now; None = from its own.
    """

    run_id: str
    parameters: Mapping[str, Any]
    done: int = 0
    donor: str | None = None


class Contender(Protocol):
    """A way to search, as the virtual trainers see it."""

    def suggest(self) -> Point | None:
        """Returns what a free trainer does; None = nothing, for as long as others run."""

    def told(self, run_id: str, report: Report, *, is_last: bool) -> bool:
        """Takes a report; returns whether the run goes on in its trainer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a study has seen at a report.

    Attributes:
        epochs: Epochs that all trials together have run.
        run_id: The run.
        number: The report's number in it.
        scores: What it reported of each task: (tasks,).
        truth: The same without noise: (tasks,).
    """

    epochs: float
    run_id: str
    number: int
    scores: Floats
    truth: Floats


class World:
    """Runs of one study: what each of them scores, by a seed."""

    def __init__(self, surrogate: Surrogate, seed: int) -> None:
        """Makes a study in which nothing has run."""
        self.surrogate = surrogate
        self._generator = np.random.default_rng(seed)
        self._runs: dict[str, tuple[Floats, Floats]] = {}

    def run(self, point: Point) -> tuple[Floats, Floats]:
        """Returns the curve of a run and the one without noise: (reports, tasks) each."""
        if point.run_id not in self._runs:
            self._runs[point.run_id] = self._drawn(point)
        return self._runs[point.run_id]

    def take_over(self, point: Point) -> None:
        """Has a run go on from what its donor scored without noise after as many reports.

        From there it gains what its new recipe, alone, gains between the same reports; its noise is
        that of a run with the new recipe. No recorded run did so: this is made up, and kind to
        runs that change recipes. A recipe that learns late gains much late, whoever learnt early.
        """
        assert point.donor is not None
        own, donor, done = self._runs[point.run_id], self._runs[point.donor], point.done
        drawn, mean = self._drawn(point)
        gained = np.clip(donor[1][done - 1] + mean[done:] - mean[done - 1], 0, 1)
        noisy = np.clip(gained + drawn[done:] - mean[done:], 0, 1)
        self._runs[point.run_id] = (
            np.concatenate([own[0][:done], noisy]),
            np.concatenate([own[1][:done], gained]),
        )

    def _drawn(self, point: Point) -> tuple[Floats, Floats]:
        mean = self.surrogate.means([point.parameters])[0]
        return self.surrogate.draw(mean, self._generator), mean


def play(contender: Contender, world: World, *, trainers: int, budget: float) -> list[Seen]:
    """Plays a study until its trials have run `budget` epochs; returns all reports in order."""
    per_epoch = world.surrogate.reports / world.surrogate.epochs
    seen: list[Seen] = []
    # (time of the next report, order, the run, number of that report)
    events: list[tuple[float, int, Point, int]] = []
    free, order, now = trainers, 0, 0.0
    while True:
        while free and (point := contender.suggest()) is not None:
            if point.donor is not None:
                world.take_over(point)
            heapq.heappush(events, (now + 1, order, point, point.done + 1))
            free, order = free - 1, order + 1
        if not events or len(seen) >= round(budget * per_epoch):
            return seen
        now, _, point, number = heapq.heappop(events)
        scores, truth = (curve[number - 1] for curve in world.run(point))
        seen.append(Seen((len(seen) + 1) / per_epoch, point.run_id, number, scores, truth))
        is_last = number == world.surrogate.reports
        report = report_of(number, number / per_epoch, scores)
        if contender.told(point.run_id, report, is_last=is_last) and not is_last:
            heapq.heappush(events, (now + 1, order, point, number + 1))
            order += 1
        else:
            free += 1


def report_of(number: int, progress: float, scores: Floats) -> Report:
    """Returns a report of these scores."""
    mains = {"intent": "accuracy", "slots": "f1"}
    dev = {task: {mains[task]: float(score)} for task, score in zip(TASKS, scores, strict=True)}
    combined = float(scores.mean())
    return Report(
        epoch=max(1, -int(-progress // 1)), number=number, progress=progress, step=number,
        losses={}, weights={}, learning_rates={}, dev=dev, joint_accuracy=combined,
        combined=combined, best_combined=combined, best_number=number, seconds=1.0,
        sentences_per_second=1.0,
    )  # fmt: skip
