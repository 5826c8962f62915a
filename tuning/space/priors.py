"""Priors: what is believed of a parameter before any trial has run.

A sampler that can use one draws with it; see `uses_priors` of the samplers. Both kinds are
densities over the *position* of a value in its domain, in [0, 1]: what the parameter is measured
in, on a logarithmic scale or in whole numbers, only its domain knows (`tuning.space.domains`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Literal, Protocol

Sureness = Literal["low", "medium", "high"]
"""How sure one is of the likeliest value."""

SPREADS: Mapping[Sureness, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
"""Standard deviation of a range's prior, as a share of the range, on its own scale."""

ODDS: Mapping[Sureness, float] = {"low": 2.0, "medium": 4.0, "high": 8.0}
"""How much likelier the likeliest option of a choice is than each of the others."""

_LEAST = 1e-150
"""The least density and mass: logarithms and quotients of them are finite."""


class Prior(Protocol):
    """A density over positions in [0, 1], never 0."""

    def density(self, position: float) -> float:
        """Returns how likely a position is, relative to all positions being equally likely."""

    def quantile(self, share: float) -> float:
        """Returns the position up to which `share` of the draws lie.

        Of a uniform number in [0, 1] it makes a draw from the prior.
        """


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """A normal density, cut off at both ends of the domain.

    Attributes:
        centre: Position of the likeliest value.
        spread: Standard deviation before the cut, as a share of the domain, above 0.
    """

    centre: float
    spread: float

    def density(self, position: float) -> float:
        """Returns the density at a position; 1 is that of a uniform draw."""
        below, above = self._cuts()
        # Arithmetic makes 0 of what lies far off, and of the whole domain if the centre does.
        return max(self._normal().pdf(position), _LEAST) / max(above - below, _LEAST)

    def quantile(self, share: float) -> float:
        """Returns the position up to which `share` of the draws lie."""
        below, above = self._cuts()
        # `inv_cdf` takes neither 0 nor 1, which rounding gives where the centre is far off.
        inside = min(max(below + share * (above - below), 1e-16), 1 - 1e-16)
        return min(max(self._normal().inv_cdf(inside), 0.0), 1.0)

    def _normal(self) -> NormalDist:
        return NormalDist(self.centre, self.spread)

    def _cuts(self) -> tuple[float, float]:
        normal = self._normal()
        return normal.cdf(0.0), normal.cdf(1.0)


@dataclass(frozen=True, slots=True)
class OptionsPrior:
    """A weight for every option of a choice; of k options each has 1/k of the positions, in order.

    Attributes:
        weights: (options,) above 0, summing to 1.
    """

    weights: tuple[float, ...]

    def density(self, position: float) -> float:
        """Returns the density at a position; 1 is that of a uniform draw."""
        count = len(self.weights)
        return self.weights[min(int(position * count), count - 1)] * count

    def quantile(self, share: float) -> float:
        """Returns the position up to which `share` of the draws lie."""
        count, ends = len(self.weights), list(accumulate(self.weights))
        option = next((n for n, end in enumerate(ends) if share < end), count - 1)
        inside = (share - ends[option]) / self.weights[option] + 1
        return min((option + min(inside, 1.0)) / count, 1.0)


def normal_prior(centre: float, sure: Sureness) -> NormalPrior:
    """Returns the prior of a range, by words."""
    return NormalPrior(centre, SPREADS[sure])


def options_prior(options: Sequence[object], likeliest: object, sure: Sureness) -> OptionsPrior:
    """Returns the prior of a choice, by words."""
    odds = [ODDS[sure] if option == likeliest else 1.0 for option in options]
    return OptionsPrior(tuple(one / sum(odds) for one in odds))
