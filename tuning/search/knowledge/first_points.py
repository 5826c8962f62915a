"""Points to try first, made of priors: the likeliest one, and some that spread over the likely."""

from collections.abc import Mapping

from tuning.records import Value
from tuning.space.parameters import Parameter
from tuning.space.priors import Prior
from tuning.space.space import Space

COUNT = 4
"""Points that are made."""
_INSIDE = 0.8
"""Share of each prior that they spread over, in its middle."""


def first_points(space: Space, priors: Mapping[str, Prior]) -> list[dict[str, Value]]:
    """Returns the points, as Optuna draws them; [] where nothing is known.

    The first has the likeliest value of every parameter with a prior. The others lie at quantiles
    of the priors, which spread evenly over all of these parameters together (an additive
    recurrence). Parameters without a prior, and what stands inside of sections, are left open.
    """
    known = [
        (parameter, priors[parameter.name])
        for parameter in space.parameters
        if parameter.name in priors and parameter.name in space.in_every_point
    ]
    if not known:
        return []
    likeliest = {one.name: _likeliest(one, prior) for one, prior in known}
    root = _root(len(known))
    spread = [
        {
            one.name: one.domain.at(prior.quantile(_share(number, root ** -(axis + 1))))
            for axis, (one, prior) in enumerate(known)
        }
        for number in range(1, COUNT)
    ]
    return [likeliest, *spread]


def _likeliest(parameter: Parameter, prior: Prior) -> Value:
    """Returns the value at the highest of the density, looked for at 200 positions."""
    positions = [(number + 0.5) / 200 for number in range(200)]
    return parameter.domain.at(max(positions, key=prior.density))


def _share(number: int, step: float) -> float:
    """Returns a share in [0.1, 0.9]; that of number 0 is the middle."""
    return 0.5 + _INSIDE * ((0.5 + number * step) % 1 - 0.5)


def _root(dimensions: int) -> float:
    """Returns the root above 1 of x^(d + 1) = x + 1; for d = 1 the golden ratio."""
    root = 2.0
    for _ in range(50):
        root = (1 + root) ** (1 / (dimensions + 1))
    return root
