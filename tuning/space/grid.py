"""The grid of a space: every combination of values, what stands inside of sections included."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from tuning.records import Value
from tuning.space.domains import Domain
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


def every_point(space: Space, points: int | None) -> Iterator[dict[str, Value]]:
    """Yields every point of the grid of a space: parameter -> value as Optuna draws it.

    Args:
        space: The space.
        points: Values of each range without steps, at least 2; None where there is no such range.
    """
    values = {one.name: values_of(one.domain, points) for one in space.parameters}
    walk = _Walk(values, ())
    while True:
        space.sample(cast("BaseTrial", walk))
        yield walk.point
        turns = walk.turns
        # Back to the last turn at which there is another way, and that way from there.
        while turns and turns[-1] == len(values[list(walk.point)[len(turns) - 1]]) - 1:
            turns.pop()
        if not turns:
            return
        turns[-1] += 1
        walk = _Walk(values, turns)


def values_of(domain: Domain, points: int | None) -> list[Value]:
    """Returns the values of a domain on a grid, the lowest first.

    Args:
        domain: The domain.
        points: How many of a range without steps; of others there are all.
    """
    if domain.count is not None:
        return [domain.at((number + 0.5) / domain.count) for number in range(domain.count)]
    assert points is not None
    found = [_rounded(domain.at(number / (points - 1)), domain) for number in range(points)]
    return list(dict.fromkeys(found))  # Whole numbers may come twice.


def _rounded(value: Value, domain: Domain) -> Value:
    """Returns a number as people would write it: 0.001, and not 0.0010000000000000002."""
    if not isinstance(value, float) or domain.bounds is None:
        return value
    low, high = domain.bounds
    return min(max(float(f"{value:.6g}"), low), high)


class _Walk:
    """A trial, as far as `Space.sample` needs one, that draws the values it is told to."""

    def __init__(self, values: dict[str, list[Value]], turns: Sequence[int]) -> None:
        """Begins a point.

        Args:
            values: Parameter -> its values.
            turns: Which value of the first parameters to take; of all others the first.
        """
        self._values = values
        self._told = turns
        self.turns: list[int] = []
        self.point: dict[str, Value] = {}

    def _next(self, name: str, *args: object, **settings: object) -> Any:
        turn = self._told[len(self.turns)] if len(self.turns) < len(self._told) else 0
        self.turns.append(turn)
        self.point[name] = self._values[name][turn]
        return self.point[name]

    suggest_float = suggest_int = suggest_categorical = _next
