"""Ways to search: ours, Ray Tune's own and Optuna's own, each by its real code."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
from _curves import REPORTS_PER_EPOCH, SEARCH, study_space
from _virtual import Contender, Point

from mtl_core.training.report import Report
from tuning.search.knowledge.first_points import first_points
from tuning.search.knowledge.known import Known
from tuning.search.knowledge.shipped import Setting, shipped_priors
from tuning.space.priors import Prior
from tuning.space.space import Space

ENDLESS = 10**6
"""Trials of a study that its epochs end."""
ENCODER, STEPS = 22_713_216, 80
"""Parameters of the encoder of the recorded runs, and their optimiser steps."""


class TuneContender:
    """A searcher and a scheduler of Ray Tune's kind, called in the order in which Tune calls them.

    Ours are of that kind, too: `OptunaSearcher` and `StudyScheduler`.
    """

    def __init__(
        self,
        searcher: Any,
        scheduler: Any,
        *,
        point_of: Callable[[str, Any], Point],
        result_of: Callable[[Report, bool], Mapping[str, Any]],
    ) -> None:
        """Starts a study.

        Args:
            searcher: Suggests configurations.
            scheduler: Judges results.
            point_of: Returns the run of a Tune trial, given its id and configuration.
            result_of: Returns what a trial reports to Tune.
        """
        self._searcher, self._scheduler = searcher, scheduler
        self._point_of, self._result_of = point_of, result_of
        self._trials: dict[str, SimpleNamespace] = {}
        self._number = 0

    def suggest(self) -> Point | None:
        """Returns what a free trainer does."""
        trial_id = f"tune{self._number}"
        config = self._searcher.suggest(trial_id)
        if not isinstance(config, dict):
            return None
        self._number += 1
        point = self._point_of(trial_id, config)
        self._trials[point.run_id] = trial = SimpleNamespace(trial_id=trial_id, config=config)
        self._scheduler.on_trial_add(None, trial)
        return point

    def told(self, run_id: str, report: Report, *, is_last: bool) -> bool:
        """Takes a report; returns whether the run goes on."""
        trial, result = self._trials[run_id], self._result_of(report, is_last)
        # Tune asks the scheduler about a trial unless that says itself that it is done.
        if not is_last and self._scheduler.on_trial_result(None, trial, result) == "CONTINUE":
            self._searcher.on_trial_result(trial.trial_id, result)
            return True
        self._scheduler.on_trial_complete(None, trial, result)
        self._searcher.on_trial_complete(trial.trial_id, result)
        return False


def ours(
    seed: int,
    epochs: int,
    *,
    search: Mapping[str, Any] = SEARCH,
    known: bool = False,
    **sections: Any,
) -> Contender:
    """Returns a study of ours, as `mtl tune` would run it but for the trainers.

    Args:
        seed: Of the search.
        epochs: Of a run.
        search: The section of that name.
        known: With the shipped priors, and the first points that they make.
        sections: Of `study`: its sampler, its scheduler, its objective, its trials.
    """
    from tuning.search.points import Points
    from tuning.search.searcher import OptunaSearcher
    from tuning.search.study_scheduler import StudyScheduler
    from tuning.study.config import StudyFile
    from tuning.trainers.messages import PoolAddress, TrialSpec
    from tuning.trainers.tune_values import TrialConfig, TrialResult

    run = {
        "datasets": {"data": {"kind": "sample"}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "data", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "data", "column": "slots"},
        },
        "training": {"epochs": epochs},
    }
    settings = {"name": "virtual", "trials": ENDLESS, "seed": seed, **sections}
    file = StudyFile.model_validate({"run": run, "search": search, "study": settings})
    priors = shipped(file.space) if known else {}
    sampler = file.study.sampler.build(seed, file.space, Known(priors))
    goal = file.goal
    study = optuna.create_study(directions=["maximize"] * max(1, len(goal.tasks)), sampler=sampler)
    scheduler = StudyScheduler(file.study.scheduler.build(epochs, goal.values))
    points = Points(
        study, file.space, total=file.study.trials, default_parameters=file.default_parameters,
        first=first_points(file.space, priors), goal=goal,
    )  # fmt: skip
    searcher = OptunaSearcher(
        points,
        scheduler,
        pool=PoolAddress("pool", "virtual"),
        spec_of=lambda run_id, overrides: TrialSpec(run_id, overrides, Path(run_id)),
        hand_over=lambda donor, run_id, *, reports: None,  # No checkpoint: the world is told.
    )

    def point_of(_: str, config: Any) -> Point:
        found = TrialConfig.of(config)
        # What lies outside of the space, trial 0 has from its recipe.
        parameters = {**file.default_parameters, **found.parameters}
        last = found.taken_over[-1] if found.taken_over else None
        donor = last.donor if last is not None and last.number == found.delivered else None
        return Point(found.spec.id, parameters, found.delivered, donor)

    return TuneContender(
        searcher, scheduler, point_of=point_of,
        result_of=lambda report, is_last: TrialResult(report, is_last).for_tune(),
    )  # fmt: skip


def shipped(space: Space) -> dict[str, Prior]:
    """Returns the priors that a study of this space would have with `study.prior: shipped`."""
    branches = {"freezing.kind", "weighting.kind"}
    possible = {one.name: one.domain.options for one in space.parameters if one.name in branches}
    setting = Setting(possible, parameters=ENCODER, steps=STEPS)
    return {one.name: one.prior for one in shipped_priors(space.parameters, setting)}


def ray_tune(seed: int, epochs: int, *, grace: float) -> Contender:
    """Returns Ray Tune's own OptunaSearch with its own ASHA, factor 3 as ours."""
    from ray.tune.schedulers import AsyncHyperBandScheduler
    from ray.tune.search.optuna import OptunaSearch

    space = study_space()

    def draw(trial: Any) -> None:
        space.sample(trial)

    scheduler = AsyncHyperBandScheduler(
        time_attr="progress", metric="combined", mode="max", max_t=epochs, grace_period=grace,
        reduction_factor=3, stop_last_trials=False,
    )  # fmt: skip
    return TuneContender(
        OptunaSearch(draw, metric="combined", mode="max", seed=seed), scheduler,
        point_of=Point,
        result_of=lambda report, is_last: {
            "combined": report.combined, "progress": report.progress,
            "training_iteration": report.number, "done": is_last,
        },
    )  # fmt: skip


class OptunaContender:
    """A study of Optuna's own, asked and told as its documentation has it."""

    def __init__(self, study: optuna.Study, space: Space) -> None:
        """Starts a study, given with its sampler and pruner, of points from a space."""
        self._study, self._space = study, space
        self._trials: dict[str, optuna.Trial] = {}
        self._best: dict[str, Report] = {}

    def suggest(self) -> Point | None:
        """Returns what a free trainer does."""
        trial = self._study.ask()
        self._space.sample(trial)
        run_id = str(trial.number)
        self._trials[run_id] = trial
        return Point(run_id, trial.params)

    def told(self, run_id: str, report: Report, *, is_last: bool) -> bool:
        """Takes a report; returns whether the run goes on."""
        trial, best = self._trials[run_id], self._best.get(run_id, report)
        self._best[run_id] = best = max(best, report, key=lambda one: one.combined)
        trial.report(report.combined, report.number)
        if is_last:
            self._study.tell(trial, best.combined)
        elif trial.should_prune():
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return False
        return not is_last


def optuna_hyperband(seed: int, epochs: int, *, least: int) -> Contender:
    """Returns Optuna's TPE with its HyperbandPruner, factor 3, from report `least` on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.HyperbandPruner(
                min_resource=least, max_resource=epochs * REPORTS_PER_EPOCH, reduction_factor=3
            ),
        )
    return OptunaContender(study, study_space())
