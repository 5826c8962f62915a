"""The samplers that a study file can name: which point Optuna tries next."""

import warnings
from abc import abstractmethod
from typing import Literal

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from pydantic import NonNegativeInt

from mtl_core.section import Section
from tuning.search.seeded import TrialSeeded


class SamplerBase(Section):
    """A way to choose points; `build` makes what a study uses of it."""

    @abstractmethod
    def of_trial(self, seed: int) -> BaseSampler:
        """Returns Optuna's sampler for one trial, which draws from `seed`."""

    def build(self, seed: int) -> BaseSampler:
        """Returns the sampler of a study, given the study's seed, at least 0."""
        return TrialSeeded(self.of_trial, seed)


class TpeSection(SamplerBase):
    """Tree-structured Parzen estimator: learns from the trials so far (Bergstra et al. 2011).

    https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization
    """

    kind: Literal["tpe"] = "tpe"
    startup_trials: NonNegativeInt = 10
    """Trials drawn at random before the estimator is used; failed ones do not count."""

    def of_trial(self, seed: int) -> BaseSampler:
        """Returns Optuna's sampler, whose parameters depend on each other."""
        with warnings.catch_warnings():
            # `group` models every combination of parameters that occurs by itself; without it all
            # that some trial lacks (conditional ones, and those whose default lies outside of their
            # range, which trial 0 lacks) are drawn independently of all others.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # `constant_liar`: trials that still run count as bad ones, so that trials side by side
            # do not try the same point.
            return TPESampler(
                n_startup_trials=self.startup_trials,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )


class RandomSection(SamplerBase):
    """Every trial independent of the others."""

    kind: Literal["random"] = "random"

    def of_trial(self, seed: int) -> BaseSampler:
        """Returns Optuna's sampler."""
        return RandomSampler(seed=seed)
