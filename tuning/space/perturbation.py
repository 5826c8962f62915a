"""Perturbation: small random changes of what a recipe was drawn with, inside the space."""

import random
from dataclasses import dataclass

from tuning.records import Value
from tuning.space.domains import Domain, is_number


@dataclass(frozen=True, slots=True)
class Perturbation:
    """How far values move (Jaderberg et al. 2017, section 4.1: "perturb" and "resample").

    https://arxiv.org/abs/1711.09846

    Attributes:
        resample: Share of values that are drawn anew from their whole range or choice, in [0, 1].
        factors: A number of a range is multiplied by one of these, and stays inside the range.
            Of a choice, and of a range with few steps, the value becomes a neighbour.
    """

    resample: float
    factors: tuple[float, ...]

    def moved(self, domain: Domain, drawn: Value, draw: random.Random) -> Value:
        """Returns what takes the place of a drawn value.

        Args:
            domain: What the parameter can be.
            drawn: Its value as Optuna drew it.
            draw: Random numbers, of which it takes the same count whatever the value is.
        """
        fresh, is_fresh = domain.at(draw.random()), draw.random() < self.resample
        factor, direction = draw.choice(self.factors), draw.choice((-1, 1))
        if is_fresh:
            return fresh
        scaled = _scaled(domain, drawn, factor)
        return scaled if scaled != drawn else _neighbour(domain, drawn, direction)


def _scaled(domain: Domain, drawn: Value, factor: float) -> Value:
    if domain.bounds is None or not is_number(drawn):
        return drawn
    low, high = domain.bounds
    value = min(max(drawn * factor, low), high)
    # By way of the position: a number of a range with steps is the nearest of them.
    return (
        value
        if domain.count is None and isinstance(drawn, float)
        else domain.at(domain.position(value))
    )


def _neighbour(domain: Domain, drawn: Value, direction: int) -> Value:
    """Returns the next value of a choice or of a range with steps; others stay as they are."""
    if domain.count is None:
        return drawn
    index = round(domain.position(drawn) * domain.count - 0.5)
    # At an end there is one neighbour.
    there = index + direction if 0 <= index + direction < domain.count else index - direction
    return domain.at((there + 0.5) / domain.count)
