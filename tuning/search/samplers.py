"""The samplers of a study: which point Optuna tries next."""

import warnings
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, NonNegativeInt

from mtl_core.section import Section


class Tpe(Section):
    """Tree-structured Parzen estimator: learns from the trials so far (Bergstra et al. 2011).

    https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization
    """

    kind: Literal["tpe"] = "tpe"
    startup_trials: NonNegativeInt = 10
    """Trials drawn at random before the estimator is used; failed ones do not count."""

    def build(self, seed: int) -> BaseSampler:
        """Returns the sampler of a study."""
        return TrialSeeded(self, seed)

    def sampler(self, seed: int) -> BaseSampler:
        """Returns Optuna's sampler, whose parameters depend on each other."""
        with warnings.catch_warnings():
            # `group` models every combination of parameters that occurs by itself; without it all
            # that some trial lacks (conditional ones, and those whose default lies outside of their
            # range, which trial 0 lacks) are drawn independently of all others.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(
                n_startup_trials=self.startup_trials,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )


class Random(Section):
    """Every trial independent of the others."""

    kind: Literal["random"] = "random"

    def build(self, seed: int) -> BaseSampler:
        """Returns the sampler of a study."""
        return TrialSeeded(self, seed)

    def sampler(self, seed: int) -> BaseSampler:
        """Returns Optuna's sampler."""
        return RandomSampler(seed=seed)


Sampler = Annotated[Tpe | Random, Field(discriminator="kind")]
"""How the points of a study are chosen."""


class TrialSeeded(BaseSampler):
    """Draws every trial from a fresh sampler, seeded by the study's seed and the trial's number.

    What a trial draws hence depends on the trials before it and on nothing else: a study that was
    interrupted goes on with the points it would have tried anyway, and repeats none.
    """

    def __init__(self, section: Tpe | Random, seed: int) -> None:
        """Wraps the sampler that `section` builds.

        Args:
            section: Builds the sampler of one trial.
            seed: Seed of the study, at least 0.
        """
        self._section = section
        self._seed = seed
        self._sampler = self._seeded(0)

    def _seeded(self, number: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        return self._section.sampler(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Starts the sampler of this trial."""
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
