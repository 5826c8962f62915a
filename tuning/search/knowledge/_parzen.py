"""Private parts of Optuna's TPE that are used, as of Optuna 5.0: its densities and its split."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_weights
from optuna.trial import FrozenTrial, TrialState

Array = npt.NDArray[np.float64]
Samples = dict[str, Array]
"""Parameter -> (size,) values as the journal has them: of a choice the numbers of the options."""

_SETTINGS = _ParzenEstimatorParameters(
    prior_weight=1.0,
    consider_magic_clip=True,
    consider_endpoints=False,
    weights=default_weights,
    multivariate=True,
)
"""The defaults of `TPESampler`."""


class Parzen:
    """The density of TPE around points, in some parameters together."""

    def __init__(
        self, points: Sequence[Mapping[str, Any]], space: Mapping[str, BaseDistribution]
    ) -> None:
        """Builds it; without points it is wide and flat.

        Args:
            points: Parameter -> value; each has all parameters of `space`.
            space: Parameter -> what it is drawn from, not empty.
        """
        observed = {
            name: np.array([one.to_internal_repr(point[name]) for point in points], np.float64)
            for name, one in space.items()
        }
        self._inner = _ParzenEstimator(observed, dict(space), _SETTINGS)

    def sample(self, generator: np.random.RandomState, size: int) -> Samples:
        """Draws `size` points."""
        return self._inner.sample(generator, size)

    def log_density(self, samples: Samples) -> Array:
        """Returns the log of the density at (size,) points, (size,)."""
        return self._inner.log_pdf(samples)


def good_and_other(
    study: optuna.Study, trials: list[FrozenTrial]
) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """Returns the good trials and all others, as TPE tells them apart; those that run are others.

    Args:
        study: The study.
        trials: Those that are complete, stopped or running.
    """
    ended = sum(trial.state != TrialState.RUNNING for trial in trials)
    return _split_trials(study, trials, num_good(ended))


def num_good(ended: int) -> int:
    """Returns how many of the trials that ended TPE calls good."""
    return int(default_gamma(ended))
