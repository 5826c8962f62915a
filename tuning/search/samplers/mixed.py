"""Samplers that also draw from priors; see `tuning.search.knowledge.mixture`."""

from collections.abc import Callable, Mapping
from functools import partial

from optuna.samplers import BaseSampler

from tuning.search.knowledge.mixture import PriorMixture
from tuning.search.samplers.seeded import Draw
from tuning.space.priors import Prior

Make = Callable[[Draw], BaseSampler]
"""Makes the sampler of one trial."""


def with_priors(make: Make, priors: Mapping[str, Prior]) -> Make:
    """Returns what makes samplers that draw from priors as well, where there are any.

    Args:
        make: Makes the samplers that draw the other points.
        priors: Name of a parameter -> its prior.
    """
    return partial(_mixed, make, priors) if priors else make


def _mixed(make: Make, priors: Mapping[str, Prior], draw: Draw) -> BaseSampler:
    parameters = {parameter.name: parameter for parameter in draw.space.parameters}
    return PriorMixture(make(draw), parameters, priors, seed=draw.seed)
