"""How alike studies are: whether their good trials lie in the same places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from tuning.search.knowledge._parzen import Array, Parzen, Samples, good_and_other, num_good
from tuning.search.knowledge.known import Earlier

Distributions = Mapping[str, BaseDistribution]
"""Parameter -> what it is drawn from."""
Points = Sequence[Mapping[str, Any]]
"""Trials, each as parameter -> value; some may lack some."""

_LOOKS = 300
"""Points of each of two densities by which their overlap is estimated."""


@dataclass(frozen=True, slots=True)
class Task:
    """The trials of a study, for the densities of TPE.

    Attributes:
        good: The good ones.
        other: All others.
        varied: The parameters that it says something about; None = all.
    """

    good: Points
    other: Points
    varied: tuple[str, ...] | None = None


def task_of(earlier: Earlier) -> Task:
    """Returns the trials of an earlier study, told apart as TPE does."""
    good = num_good(len(earlier.points))
    return Task(earlier.points[:good], earlier.points[good:], earlier.varied)


class Density:
    """The density of some trials: around them in what their study varied, flat in all else."""

    def __init__(
        self, points: Points, space: Distributions, varied: tuple[str, ...] | None = None
    ) -> None:
        """Builds it.

        Args:
            points: The trials; those that lack one of the parameters are passed over.
            space: What it is a density of, not empty.
            varied: Parameters that the trials say something about; None = all.
        """
        known = {name: one for name, one in space.items() if varied is None or name in varied}
        flat = {name: one for name, one in space.items() if name not in known}
        usable = [point for point in points if known and known.keys() <= point.keys()]
        self.size = len(usable)
        """Trials that it was made of."""
        self._parts = [Parzen(usable, known)] if known else []
        self._parts += [Parzen([], flat)] if flat else []

    def sample(self, generator: np.random.RandomState, size: int) -> Samples:
        """Draws `size` points."""
        return {
            name: values
            for part in self._parts
            for name, values in part.sample(generator, size).items()
        }

    def log(self, samples: Samples) -> Array:
        """Returns the log of the density at (size,) points, (size,)."""
        logs: Array = np.sum([part.log_density(samples) for part in self._parts], axis=0)
        return logs


def similarities(
    good: Points, earlier: Sequence[Earlier], space: Distributions, generator: np.random.RandomState
) -> list[float]:
    """Returns how similar each earlier study is to a study, in [0, 1].

    Args:
        good: The good trials of the study; without any, all earlier ones count as like it.
        earlier: The earlier studies.
        space: The parameters that all its points have.
        generator: Source of the points at which densities are compared.
    """
    found = []
    for one in earlier:
        shared = {name: space[name] for name in one.varied if name in space}
        if not shared:
            found.append(0.0)
        elif not good:
            found.append(1.0)
        else:
            ours, theirs = Density(good, shared), Density(task_of(one).good, shared)
            found.append(similarity(ours, theirs, generator))
    return found


def similarities_in(study: optuna.Study, earlier: Sequence[Earlier]) -> list[float]:
    """Returns how similar each earlier study is to a study as it stands, in [0, 1]."""
    trials = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    # Without trial 0, which lacks what lies outside of the space in the study file's own recipe.
    spaces = [trial.distributions for trial in trials if trial.number > 0]
    space = spaces[0] if spaces else {}
    common = {name: one for name, one in space.items() if all(name in other for other in spaces)}
    good, _ = good_and_other(study, trials)
    points = [trial.params for trial in good]
    return similarities(points, earlier, common, np.random.RandomState(0))


def similarity(a: Density, b: Density, generator: np.random.RandomState) -> float:
    """Returns (1 - d) / (1 + d), d being the total variation distance of two densities.

    As in Watanabe et al. (2023, https://arxiv.org/abs/2212.06751). The distance is estimated at
    points of both, and so where it is made, and not at even points as in the authors' code
    (github.com/nabenabe0928/hpo_task_similarity), most of which lie where nothing is.
    """
    drawn = [one.sample(generator, _LOOKS) for one in (a, b)]
    points = {name: np.concatenate([one[name] for one in drawn]) for name in drawn[0]}
    log_a, log_b = a.log(points), b.log(points)
    log_drawn = np.logaddexp(log_a, log_b) - log(2)
    distance = 0.5 * np.mean(np.abs(np.exp(log_a - log_drawn) - np.exp(log_b - log_drawn)))
    return float((1 - distance) / (1 + distance))


def task_weights(similar: Sequence[float]) -> Array:
    """Returns the weight of a study and of each earlier one, (1 + earlier,), summing to 1."""
    tasks = 1 + len(similar)
    return np.array([1 - sum(similar) / tasks, *(one / tasks for one in similar)])


def log_mixture(densities: Sequence[Density], weights: Array, points: Samples) -> Array:
    """Returns the log of a mixture of densities, each weighted by its number of trials as well.

    Args:
        densities: One of each study.
        weights: (studies,).
        points: (size,) points.

    Returns:
        (size,); without any trial it is flat.
    """
    shares = weights * np.array([density.size for density in densities])
    if not shares.sum():
        shares = np.eye(len(densities))[0]
    logs = [
        np.log(share) + density.log(points)
        for share, density in zip(shares / shares.sum(), densities, strict=True)
        if share > 0
    ]
    mixed: Array = np.logaddexp.reduce(logs, axis=0)
    return mixed
