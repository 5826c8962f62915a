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
from tuning.study.companions import companions
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.result import read_result

_RECIPES = 8
"""Recipes that are timed beside the study file's own."""
_RECIPES_ALONE = 1
"""The same for each task alone."""
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
class Epochs:
    """How many epochs the trials have together.

    Attributes:
        low: Nine of ten studies have more.
        high: Nine of ten have fewer.
        most: If none ended early.
    """

    low: float
    high: float
    most: float


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """What a stage takes that comes on top of the trials.

    Attributes:
        name: What it is called.
        runs: Runs, at most.
        epochs: Epochs of all of them.
        seconds: Wall time, as long as this machine is as quick as it was.
        is_whole: Whether all of them have their full budget; else some are stopped early.
    """

    name: str
    runs: int
    epochs: float
    seconds: float
    is_whole: bool = True


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
        stages: What comes on top of the trials.
        seconds: Wall time of all, with the start of Ray and the scores on test.
        disk: What it takes on disk.
        times: What was timed; the first is the study file's own recipe.
        timed_for: Seconds that this took.
    """

    trials: int
    trainers: int
    epochs: Epochs
    stages: Sequence[StageEstimate]
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
    trainers = plan_trainers(resources, [this_machine()], trials=study.most_at_a_time)
    if resources.gpus and not torch.cuda.is_available():
        raise ConfigError("--estimate: the trainers take GPUs, and this machine has none")
    times, seconds = _timed(study, _RECIPES)
    spent = _virtual_studies(study, times, trainers)
    return _put_together(study, trainers, times, spent, seconds)


def _timed(study: StudyFile, recipes: int) -> tuple[list[RecipeTime], float]:
    """Returns what recipes cost, and how long it took to find out."""
    resources, before = study.study.resources, torch.get_num_threads()
    device = torch.device("cuda" if resources.gpus else "cpu")
    # Scores do not matter here, so neither does what they are relative to.
    objective = study.study.objective.over(dict.fromkeys(study.counted_tasks, 1.0))
    watch, start = Stopwatch(objective, device), time.perf_counter()
    torch.set_num_threads(max(1, int(resources.cpus)))
    try:
        # Twice: what a process does for the first time takes longer, and trainers live long.
        watch.time(study.run)
        times: list[RecipeTime] = []
        for recipe in typical_recipes(study, recipes):
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
    epochs = _range([one.epochs for one in every])
    stages = [*_finals(study, times, trainers), *_baselines(study, trainers)]
    later = sum(one.seconds for one in stages)
    low, high = seconds.low + later, seconds.high + later
    most = kept + checkpoint * (trainers + paused) + states
    return StudyEstimate(
        trials=study.trials,
        trainers=trainers,
        epochs=Epochs(
            epochs.low,
            epochs.high,
            lengths[0] + (study.trials - 1) * float(np.mean(lengths[1:] or [0])),
        ),
        stages=stages,
        seconds=Range(once + low / _NOISE, (once + high) * _NOISE * _doubt(times)),
        disk=Disk(
            max(most, kept + states + _weights_of_finals(study, weights, trainers * checkpoint)),
            kept + weights * bool(study.final_runs),
        ),
        times=times,
        timed_for=timed_for,
    )


def _finals(study: StudyFile, times: Sequence[RecipeTime], trainers: int) -> list[StageEstimate]:
    """Returns the final stage, whose recipes may be any that were timed; [] without one."""
    runs, workers = study.final_runs, study.study.resources.workers
    if not runs:
        return []
    seconds = [one.setup + one.epochs * one.epoch / workers for one in times]
    # As many as there are trainers run side by side, and the last of them may be alone.
    rounds = math.ceil(runs / trainers)
    epochs = runs * float(np.mean([one.epochs for one in times]))
    return [StageEstimate("finals", runs, epochs, rounds * float(np.mean(seconds)))]


def _baselines(study: StudyFile, trainers: int) -> list[StageEstimate]:
    """Returns the studies of tasks alone that are not there yet; [] where nothing is left."""
    every = [one.study for one in companions(study)]
    left = [alone for alone in every if read_result(StudyFolder(alone.folder)).best is None]
    found = [stage for alone in left for stage in _alone(alone, trainers)]
    if not found:
        return []
    return [
        StageEstimate(
            "baselines",
            sum(one.runs for one in found),
            sum(one.epochs for one in found),
            sum(one.seconds for one in found),
            is_whole=False,
        )
    ]


def _alone(study: StudyFile, trainers: int) -> list[StageEstimate]:
    """Returns what the study of a task alone takes: its search, and its final stage."""
    times, _ = _timed(study, _RECIPES_ALONE)
    drifts = _virtual_studies(study, times, trainers).values()
    spent = [one for studies in drifts for one in studies]
    epochs = float(np.mean([one.epochs for one in spent]))
    seconds = float(np.mean([one.seconds for one in spent]))
    trials = StageEstimate("trials", study.trials, epochs, seconds)
    return [trials, *_finals(study, times, trainers)]


def _weights_of_finals(study: StudyFile, weights: float, at_work: float) -> float:
    """Returns the bytes of the final stage: the weights of three recipes stay until it is over."""
    finals = study.study.finals
    return 0.0 if finals is None else min(study.final_runs, 3 * finals.seeds) * weights + at_work


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
