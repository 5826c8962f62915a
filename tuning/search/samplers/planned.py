"""A sampler of Optuna's that takes its points from a plan."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from tuning.records import Value

Plan = Callable[[optuna.Study, FrozenTrial], Mapping[str, Value]]
"""The study so far, a trial -> its point: parameter -> value as Optuna draws it."""


class PlannedSampler(BaseSampler):
    """Draws what a plan says of a trial, and at random what the plan leaves open."""

    def __init__(self, plan: Plan, seed: int) -> None:
        """Makes the sampler of one trial.

        Args:
            plan: Called once, when the first value is asked for.
            seed: Seed of what is drawn at random, below 2 ** 32.
        """
        self._plan = plan
        self._random = RandomSampler(seed=seed)
        self._point: Mapping[str, Value] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Asks the plan."""
        self._point = self._plan(study, trial)
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws nothing: the distributions of parameters are known when they are asked for."""
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Returns the value of the plan, or draws one."""
        if param_name in self._point:
            return self._point[param_name]
        return self._random.sample_independent(study, trial, param_name, param_distribution)
