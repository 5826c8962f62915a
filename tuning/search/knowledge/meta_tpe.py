"""TPE that knows earlier studies: a mixture of their densities with its own, by similarity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from tuning.search.knowledge._parzen import good_and_other
from tuning.search.knowledge.distributions import distributions_of
from tuning.search.knowledge.known import Earlier
from tuning.search.knowledge.similar import (
    Density,
    Distributions,
    Task,
    log_mixture,
    similarities,
    task_of,
    task_weights,
)
from tuning.space.space import Space

_CANDIDATES = 24
"""Points that each study proposes for a draw, as in Optuna's TPE."""
_ALONE_AT_FIRST, _ALONE = 0.5, 0.15
"""Share of the points that are drawn as if there was no earlier study: while those are drawn at
random, and later."""


class MetaTpe(BaseSampler):
    """Meta-learning TPE (Watanabe et al. 2023, https://arxiv.org/abs/2212.06751).

    TPE draws where the density of good trials is high and that of all others low. Here both are
    mixtures over this study and the earlier ones. The weight of an earlier study is its similarity
    to this one over the number of studies, times the number of its trials; this study has what is
    left of 1, times its own.

    It differs from the paper in three points. An earlier study speaks of the parameters that it
    varied, and is flat in all others. The similarity is that of these, and not of a choice among
    them by importance. And a share of the points is drawn without any of it, half of them while
    there is next to nothing to tell similar studies by: so an unrelated one costs little.
    """

    def __init__(
        self,
        alone: BaseSampler,
        space: Space,
        earlier: Sequence[Earlier],
        *,
        startup_trials: int,
        seed: int,
    ) -> None:
        """Makes the sampler of one trial.

        Args:
            alone: TPE without earlier studies.
            space: What is sampled.
            earlier: At least one study.
            startup_trials: Trials that `alone` draws at random.
            seed: Seed of the trial.
        """
        self._alone = alone
        self._earlier = earlier
        self._space = space
        self._startup_trials = startup_trials
        self._generator = np.random.RandomState(seed)
        self._is_alone = False

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Decides whether the point is drawn from what earlier studies tell."""
        self._alone.before_trial(study, trial)
        ended = sum(one.state.is_finished() for one in study.get_trials(deepcopy=False))
        share = _ALONE_AT_FIRST if ended < self._startup_trials else _ALONE
        self._is_alone = bool(self._generator.random_sample() < share)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Returns all parameters that may be drawn."""
        if self._is_alone:
            return self._alone.infer_relative_search_space(study, trial)
        return distributions_of(self._space.parameters)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draws a value of every parameter; those of sections that are not chosen go unused."""
        if self._is_alone:
            return self._alone.sample_relative(study, trial, search_space)
        task = _task(study, trial)
        everywhere = self._space.in_every_point
        together = {name: one for name, one in search_space.items() if name in everywhere}
        # By what all points have: what stands inside of sections is drawn too seldom to compare.
        similar = similarities(task.good, self._earlier, together, self._generator)
        tasks = [task, *map(task_of, self._earlier)]
        # One by one inside of sections, which hold one or two parameters.
        groups = [together, *({n: one} for n, one in search_space.items() if n not in together)]
        return {
            name: value
            for group in groups
            if group
            for name, value in self._drawn(group, tasks, similar).items()
        }

    def _drawn(
        self, group: Distributions, tasks: Sequence[Task], similar: Sequence[float]
    ) -> dict[str, Any]:
        """Draws the parameters of a group together."""
        good = [Density(task.good, group, task.varied) for task in tasks]
        other = [Density(task.other, group, task.varied) for task in tasks]
        proposed = [one.sample(self._generator, _CANDIDATES) for one in good if one.size]
        if not proposed:  # Nobody has tried it.
            proposed = [good[0].sample(self._generator, 1)]
        points = {name: np.concatenate([one[name] for one in proposed]) for name in group}
        weights = task_weights(similar)
        gain = log_mixture(good, weights, points) - log_mixture(other, weights, points)
        best = int(np.argmax(gain))
        return {
            name: one.to_external_repr(points[name][best].item()) for name, one in group.items()
        }

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws a parameter as without earlier studies."""
        return self._alone.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tells the sampler that a trial has ended."""
        self._alone.after_trial(study, trial, state, values)


def _task(study: optuna.Study, trial: FrozenTrial) -> Task:
    """Returns the trials of the study; those that run count as bad ones, as with Optuna's TPE."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    trials = study.get_trials(deepcopy=False, states=states)
    good, other = good_and_other(study, [one for one in trials if one.number != trial.number])
    return Task([one.params for one in good], [one.params for one in other])
