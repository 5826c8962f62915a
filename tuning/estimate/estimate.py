"""What a study will take: trials, epochs, hours and disk, of a few recipes that are timed."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtl_core.errors import ConfigError
from tuning.cluster.planner import plan_trainers, this_machine
from tuning.estimate.recipes import typical_recipes
from tuning.estimate.timing import RecipeTime, Stopwatch
from tuning.estimate.virtual import Cost, Spent, VirtualStudy
from tuning.study.config import StudyFile

_RECIPES = 8
"""Recipes that are timed beside the study file's own."""
_SECONDS = 90.0
"""After so many no further recipe is begun."""
_STUDIES = 40
"""Studies in virtual time."""
_DRIFTS = (0.0, 2.0)
"""How much better the last trial is than the first, in deviations: by chance alone, and with a
sampler that learns well."""
_START = 20.0
"""Seconds until Ray and trainers are ready: processes that import torch."""
_NOISE = 1.25
"""Factor by which the speed of this machine differs from one minute to the next."""


@dataclass(frozen=True, slots=True)
class Range:
    """Between what a number is expected.

    Attributes:
        low: Nine of ten are above.
        high: Nine of ten are below.
    """

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes on disk.

    Attributes:
        most: Of the study folder and the cache while the study runs.
        stay: Of the study folder when it has ended, the model left out.
    """

    most: float
    stay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEstimate:
    """What a study will take on this machine.

    Attributes:
        trials: Trials.
        trainers: Trials at a time.
        epochs: Of all trials.
        most_epochs: If none ended early.
        seconds: Wall time, with the start of Ray and the scores on test.
        disk: What it takes on disk.
        times: What was timed; the first is the study file's own recipe.
        timed_for: Seconds that this took.
    """

    trials: int
    trainers: int
    epochs: Range
    most_epochs: float
    seconds: Range
    disk: Disk
    times: Sequence[RecipeTime]
    timed_for: float


def estimate_study(study: StudyFile) -> StudyEstimate:
    """Times a few recipes of a study here, and runs it in virtual time.

    Raises:
        ConfigError: Its trainers do not fit on this machine, or take GPUs that it does not have.
        MtlError: A recipe cannot be trained.
    """
    resources = study.study.resources
    trainers = plan_trainers(resources, [this_machine()], trials=study.trials)
    if resources.gpus and not torch.cuda.is_available():
        raise ConfigError("--estimate: the trainers take GPUs, and this machine has none")
    times, seconds = _timed(study)
    spent = _virtual_studies(study, times, trainers)
    return _put_together(study, trainers, times, spent, seconds)


def _timed(study: StudyFile) -> tuple[list[RecipeTime], float]:
    """Returns what recipes cost, and how long it took to find out."""
    resources, before = study.study.resources, torch.get_num_threads()
    device = torch.device("cuda" if resources.gpus else "cpu")
    watch, start = Stopwatch(study.study.objective, device), time.perf_counter()
    torch.set_num_threads(max(1, int(resources.cpus)))
    try:
        # Twice: what a process does for the first time takes longer, and trainers live long.
        watch.time(study.run)
        times: list[RecipeTime] = []
        for recipe in typical_recipes(study, _RECIPES):
            if times and time.perf_counter() - start > _SECONDS:
                break
            times.append(watch.time(recipe))
    finally:
        torch.set_num_threads(before)
    return times, time.perf_counter() - start


def _virtual_studies(
    study: StudyFile, times: Sequence[RecipeTime], trainers: int
) -> dict[float, list[Spent]]:
    """Returns drift -> what studies take in which trials are drawn from those that were timed."""
    # Several workers share the rows of a step; what they lose by waiting for each other is not
    # known.
    workers = study.study.resources.workers
    own, *others = [Cost(one.epochs, one.setup, one.epoch / workers) for one in times]
    found: dict[float, list[Spent]] = {}
    for drift in _DRIFTS:
        for seed in range(_STUDIES):
            generator = np.random.default_rng(seed)
            rest = study.trials - 1
            drawn = generator.integers(len(others), size=rest).tolist() if others else []
            virtual = VirtualStudy(
                study.study.scheduler.build(study.max_epochs),
                [own, *(others[number] for number in drawn)],
                trainers,
                study.run.training.reports_per_epoch,
            )
            found.setdefault(drift, []).append(virtual.run(generator, drift=drift))
    return found


def _put_together(
    study: StudyFile,
    trainers: int,
    times: Sequence[RecipeTime],
    spent: dict[float, list[Spent]],
    timed_for: float,
) -> StudyEstimate:
    every = [one for studies in spent.values() for one in studies]
    # The first trial with these frozen layers computes what they make of the data, for all others.
    frozen = {one.frozen: one for one in times}.values()
    once = _START + sum(one.states for one in frozen) / trainers
    seconds = _range([one.seconds for one in every])
    checkpoint = max(one.checkpoint_bytes for one in times)
    weights = max(one.weights_bytes for one in times)
    kept = weights * (1 + min(study.study.keep_checkpoints, study.trials - 1))
    paused = max(one.paused for one in every)
    states = sum(one.states_bytes for one in frozen)
    lengths = [times[0].epochs, *(one.epochs for one in times[1:])]
    return StudyEstimate(
        trials=study.trials,
        trainers=trainers,
        epochs=_range([one.epochs for one in every]),
        most_epochs=lengths[0] + (study.trials - 1) * float(np.mean(lengths[1:] or [0])),
        seconds=Range(once + seconds.low / _NOISE, (once + seconds.high) * _NOISE * _doubt(times)),
        disk=Disk(kept + checkpoint * (trainers + paused) + states, kept),
        times=times,
        timed_for=timed_for,
    )


def _range(values: Sequence[float]) -> Range:
    low, high = np.percentile(values, [10, 90])
    return Range(float(low), float(high))


def _doubt(times: Sequence[RecipeTime]) -> float:
    """Returns the factor by which the mean of all recipes may lie above that of those timed.

    One standard error of the mean.
    """
    costs = [one.epoch for one in times[1:]]
    if len(costs) < 2:
        return 1.0
    return 1 + float(np.std(costs, ddof=1)) / math.sqrt(len(costs)) / float(np.mean(costs))
