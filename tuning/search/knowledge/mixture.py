"""Draws from priors, near the best trial, and from a study's sampler, in turn as PriorBand does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from tuning.records import Value
from tuning.search.knowledge.worth import reports_of, values_of, worths
from tuning.space.parameters import Parameter
from tuning.space.priors import Prior

ETA = 3
"""Factor from rung to rung, and how many trials a rung needs before anything is made of it."""
LEAST_SHARE = 1 / ETA
"""Share of the points that the sampler draws at least."""
_CHANGED = 0.5
"""Share of the parameters that are drawn anew for a point near the best trial."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Probabilities of where the next point comes from; they sum to 1.

    Attributes:
        sampler: From the sampler.
        prior: From the priors.
        near: Near the best trial.
    """

    sampler: float
    prior: float
    near: float


class PriorMixture(BaseSampler):
    """The mixture of PriorBand (Mallik et al. 2023, https://arxiv.org/abs/2306.12370).

    At rung r a point comes from the sampler with probability 1 / (1 + 3^r), else from the priors or
    from near the best trial. These two share what is left by how likely they make the best third of
    the trials at rung r, the best counting most: while the priors explain them they are drawn from,
    and when not, the best trial is.

    It differs from the paper in three points. The sampler stands in the place of uniform draws. It
    has at least a third of the points, since it learns, as uniform draws do not: so wrong priors
    cost at most a factor of three. And r is known from the trials alone, whatever the scheduler:
    the highest of the rungs 1, 3, 9 ... reports that three trials have reached.

    A parameter without a prior is drawn evenly where the others come from theirs.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        parameters: Mapping[str, Parameter],
        priors: Mapping[str, Prior],
        *,
        seed: int,
    ) -> None:
        """Makes the sampler of one trial.

        Args:
            sampler: Draws the other points.
            parameters: All that may be drawn, by their names.
            priors: Name -> prior, of some of them.
            seed: Seed of the trial.
        """
        self._sampler = sampler
        self._parameters = parameters
        self._priors = priors
        self._generator = np.random.default_rng(seed)
        self._source: BaseSampler | None = None
        self._best: Mapping[str, Value] = {}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Decides where the point comes from."""
        others = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        trials = [one for one in others if one.state != TrialState.FAIL and values_of(one)]
        weights = mixture_weights(trials, study.directions, self._parameters, self._priors)
        drawn = self._generator.random()
        self._source = self._sampler if drawn < weights.sampler else None
        # Else from the priors, which is near no trial.
        if trials and drawn >= weights.sampler + weights.prior:
            self._best = _best_of(trials, study.directions)[0].params
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns what the sampler draws together, if the point comes from there."""
        if self._source is None:
            return {}
        return self._source.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Lets the sampler draw what it draws together."""
        if self._source is None:
            return {}
        return self._source.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws one parameter."""
        if self._source is not None:
            return self._source.sample_independent(study, trial, param_name, param_distribution)
        # Both for each parameter, so that a value hangs on its place in the order alone.
        share, changed = self._generator.random(2)
        domain = self._parameters[param_name].domain
        prior = self._priors.get(param_name)
        if param_name in self._best:
            value = self._best[param_name]
            if changed >= _CHANGED:
                return value
            prior = around(self._parameters[param_name], value)
        return domain.at(share if prior is None else prior.quantile(share))

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tells the sampler that a trial has ended."""
        self._sampler.after_trial(study, trial, state, values)


def around(parameter: Parameter, drawn: Value) -> Prior:
    """Returns the density near a value: with a standard deviation of a quarter of a range."""
    return parameter.domain.prior(parameter.domain.in_effect(drawn), "medium")


def mixture_weights(
    trials: Sequence[FrozenTrial],
    directions: Sequence[optuna.study.StudyDirection],
    parameters: Mapping[str, Parameter],
    priors: Mapping[str, Prior],
) -> Weights:
    """Returns where the next point comes from.

    Args:
        trials: Those with a value.
        directions: Of each of their values.
        parameters: All that may be drawn, by their names.
        priors: Name -> prior, of some of them.
    """
    rung = highest_rung([reports_of(trial) for trial in trials])
    sampler = max(1 / (1 + ETA ** max(rung, 0)), LEAST_SHARE)
    if rung < 0:
        return Weights(sampler, 1 - sampler, 0.0)
    ranked = _best_of([one for one in trials if reports_of(one) >= ETA**rung], directions)
    best = _best_of(trials, directions)[0].params
    top = ranked[: max(len(ranked) // ETA, ETA)]
    nearby = {
        name: around(parameters[name], value) for name, value in best.items() if name in parameters
    }
    by_prior, by_best = (
        sum(
            (len(top) - place) * _likelihood(trial.params, parameters, densities)
            for place, trial in enumerate(top)
        )
        for densities in (priors, nearby)
    )
    near = by_best / (by_prior + by_best)
    return Weights(sampler, (1 - sampler) * (1 - near), (1 - sampler) * near)


def highest_rung(reports: Sequence[int]) -> int:
    """Returns the highest r of which `ETA` trials have made ETA^r reports; -1 for none."""
    ranked = sorted(reports, reverse=True)
    reached = ranked[ETA - 1] if len(ranked) >= ETA else 0
    rung = -1
    while ETA ** (rung + 1) <= reached:
        rung += 1
    return rung


def _best_of(
    trials: Sequence[FrozenTrial], directions: Sequence[optuna.study.StudyDirection]
) -> list[FrozenTrial]:
    """Returns the trials, the best first, of equals the one that was begun first."""
    worth = worths(trials, directions)
    order = sorted(
        range(len(trials)), key=lambda index: (worth[index], -trials[index].number), reverse=True
    )
    return [trials[index] for index in order]


def _likelihood(
    point: Mapping[str, Value],
    parameters: Mapping[str, Parameter],
    densities: Mapping[str, Prior],
) -> float:
    """Returns how likely a point is, relative to all points being equally likely."""
    return prod(
        densities[name].density(parameters[name].domain.position(value))
        for name, value in point.items()
        if name in densities and name in parameters
    )
