"""The stage that searches: Ray Tune runs the trials that Optuna asks for."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune

from tuning.run.logbook import Logbook
from tuning.search.ending import run_search
from tuning.search.searcher import OptunaSearcher
from tuning.search.study_scheduler import StudyScheduler
from tuning.trainers._ray_tune import restarted_actors
from tuning.trainers.tune_trial import PooledTrial
from tuning.trainers.tune_values import METRIC

_HEAD_NODE = "node:__internal_head__"
"""A resource that Ray gives to the head node: Tune's actors take a crumb of it, so that trainers
can have every CPU."""

_MOST_DEATHS = 50
"""How often Ray starts an actor of Tune anew, over a whole study; one start takes 2 s and more."""


@dataclass(frozen=True, slots=True)
class SearchParts:
    """What Tune is given of a study.

    Attributes:
        searcher: Names the trials.
        scheduler: Stops them early, or has them pause.
        logbook: Told of everything.
    """

    searcher: OptunaSearcher
    scheduler: StudyScheduler
    logbook: Logbook


def search(parts: SearchParts, *, count: int, scratch: Path, verbose: bool) -> None:
    """Runs trials until the searcher has no more; what comes of them is in the study folder.

    Args:
        parts: Of the study.
        count: Trials at a time, one per trainer: more would wait, with points drawn too early.
        scratch: Folder for what Ray writes of its own.
        verbose: Shows what Tune logs.

    Raises:
        MtlError: The search cannot go on; no trial failed by that.
    """
    begin(parts)
    settings = tune.TuneConfig(
        metric=METRIC,
        mode="max",
        search_alg=parts.searcher,
        scheduler=parts.scheduler,
        num_samples=-1,  # Until the searcher has no more.
        max_concurrent_trials=count,
        # A new actor is a process that imports Ray: seconds per trial.
        reuse_actors=True,
        trial_dirname_creator=lambda trial: str(trial.trial_id),
    )
    _run(settings, parts.logbook, scratch, verbose=verbose)
    end(parts)


def begin(parts: SearchParts) -> None:
    """Ends what the scheduler had stopped when an earlier driver was killed."""
    parts.logbook.stopped(parts.searcher.end_stopped())


def end(parts: SearchParts) -> None:
    """Ends what is left when no trial can begin or go on any more."""
    parts.logbook.stopped(parts.searcher.end_left())


def _run(settings: tune.TuneConfig, logbook: Logbook, scratch: Path, *, verbose: bool) -> None:
    run_config = _run_config(logbook, scratch, verbose=verbose)
    # It writes as soon as it is made. What `fit` returns is passed over: the logbook wrote it down.
    make = partial(tune.Tuner, _trainable(), tune_config=settings, run_config=run_config)
    with restarted_actors(_MOST_DEATHS):
        run_search(lambda: make().fit(), scratch)


def _run_config(logbook: Logbook, scratch: Path, *, verbose: bool) -> tune.RunConfig:
    return tune.RunConfig(
        name="tune",
        storage_path=str(scratch),
        callbacks=[logbook],
        verbose=int(verbose),
        # Else Tune asks every trial for one at its end, and keeps a folder with what it gets.
        checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
    )


def _trainable() -> Any:
    """Returns what Tune runs: an actor that leaves every CPU to the trainers."""
    # {"CPU": 0} alone Ray refuses, as a request of nothing.
    resources = tune.PlacementGroupFactory([{"CPU": 0, _HEAD_NODE: 0.001}])
    return tune.with_resources(PooledTrial, resources)
