"""A sampler whose draws depend on the trials before and on nothing else."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class TrialSeeded(BaseSampler):
    """Draws every trial from a fresh sampler, seeded by the study's seed and the trial's number.

    What a trial draws hence depends on the trials before it and on nothing else: a study that was
    interrupted goes on with the points it would have tried anyway, and repeats none.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        """Wraps the samplers that `make` returns.

        Args:
            make: Returns the sampler of one trial, given its seed.
            seed: Seed of the study, at least 0.
        """
        self._make = make
        self._seed = seed
        self._sampler = self._seeded(0)

    def _seeded(self, number: int) -> BaseSampler:
        # Not `seed + number`: studies with neighbouring seeds would then draw the same trials.
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        return self._make(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Starts the sampler of this trial."""
        # Optuna calls this first for each trial that it asks for or goes on with.
        self._sampler = self._seeded(trial.number)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns the parameters that are drawn together."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws the parameters of `search_space` together."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws one parameter by itself."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tells the sampler that a trial has ended."""
        self._sampler.after_trial(study, trial, state, values)
