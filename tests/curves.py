"""Made-up learning curves and studies in virtual time, for tests of schedulers."""

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence

from trials import report

from mtl_core.training.report import Report
from tuning.records import run_id_of
from tuning.search.schedulers.base import Scheduler
from tuning.trainers.decisions import Decision, GoOn, Stop

Told = tuple[int, float, float]
"""Number of the run, progress in epochs, score."""


def report_at(progress: float, score: float) -> Report:
    """A report after these epochs, which may be a fraction."""
    made = report(max(1, round(10 * progress)), score, per_epoch=10)
    return dataclasses.replace(made, progress=progress)


def decisions_on(scheduler: Scheduler, reports: Sequence[Told]) -> list[Decision]:
    """What a scheduler decides on reports, one after the other."""
    return [
        scheduler.decide(run_id_of(number), report_at(progress, score))
        for number, progress, score in reports
    ]


def random_reports(seed: int, *, runs: int, steps: Sequence[float]) -> list[Told]:
    """Runs that report in an arbitrary order, each with a progress that rises by random steps.

    Scores are noise around a level that each run has of its own.
    """
    draw = random.Random(seed)
    progress = [0.0] * runs
    levels = [draw.random() for _ in range(runs)]
    reports = []
    for _ in range(runs * 8):
        number = draw.randrange(runs)
        progress[number] += draw.choice(steps)
        reports.append((number, progress[number], levels[number] + 0.3 * draw.random()))
    return reports


def without_stopped(
    scheduler: Scheduler, reports: Sequence[Told]
) -> list[tuple[int, float, float, Decision]]:
    """As `decisions_on`, passing over the reports of runs that were stopped."""
    stopped: set[int] = set()
    decided = []
    for number, progress, score in reports:
        if number not in stopped:
            [decision] = decisions_on(scheduler, [(number, progress, score)])
            decided.append((number, progress, score, decision))
            if decision == Stop():
                stopped.add(number)
    return decided


def played(
    scheduler: Scheduler,
    curves: Sequence[Mapping[float, float]],
    *,
    trainers: int = 1,
    order: Callable[[list[int]], int] = min,
) -> list[Told]:
    """Plays a study to its end: the reports of all runs, in the order in which they came.

    Run 0, 1, ... follow each other on the trainers. A run that is stopped or paused leaves its
    trainer, which takes what is paused and may go on before it begins a run.

    Args:
        scheduler: Decides.
        curves: Progress -> score of each run, in the order of its reports.
        trainers: How many runs are trained at a time.
        order: Picks who reports next of those that are trained.
    """
    left = {number: list(curve.items()) for number, curve in enumerate(curves)}
    new, running = list(left), list[int]()
    told = []
    while True:
        while len(running) < trainers:
            paused = scheduler.next_paused()
            if paused is None and not new and not running:
                paused = scheduler.last_paused()
            if paused is None and not new:
                break
            running.append(new.pop(0) if paused is None else int(paused))
            if paused is None:
                scheduler.begin(run_id_of(running[-1]))
        if not running:
            return told
        number = order(running)
        told.append((number, *left[number].pop(0)))
        [decision] = decisions_on(scheduler, [told[-1]])
        if not left[number]:
            scheduler.forget(run_id_of(number))
        if not left[number] or decision != GoOn():
            running.remove(number)
