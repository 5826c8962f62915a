"""Points to try first: the likeliest, and some around it."""

from itertools import pairwise

import pytest
from samplers import space_of

from tuning.search.knowledge.first_points import COUNT, first_points
from tuning.space.priors import NormalPrior, OptionsPrior

SPACE = space_of(
    {
        "rate": {"log_range": [1e-5, 1e-3]},
        "open": {"range": [0.0, 1.0]},
        "size": {"int_range": [1, 9]},
        "freezing": {
            "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}]
        },
    }
)
PRIORS = {
    "rate": NormalPrior(0.5, 0.1),
    "size": NormalPrior(0.5, 0.3),
    "freezing.kind": OptionsPrior((0.25, 0.75)),
    "freezing.lower_layers.layers": NormalPrior(0.5, 0.1),
}


def test_the_first_is_the_likeliest_and_all_lie_in_the_space() -> None:
    points = first_points(SPACE, PRIORS)
    assert len(points) == COUNT
    assert points[0]["rate"] == pytest.approx(1e-4, rel=0.05)
    assert points[0] | {"rate": 0} == {"rate": 0, "size": 5, "freezing.kind": "lower_layers"}
    for point in points:
        assert SPACE.to_drawn(point) == point
        # Within the middle 80 % of the prior: 1.28 standard deviations.
        assert 1e-4 / 10**0.26 < point["rate"] < 1e-4 * 10**0.26


def test_they_spread_in_every_parameter() -> None:
    points = first_points(SPACE, PRIORS)
    for name in ("rate", "size"):
        values = sorted(point[name] for point in points)
        assert len(set(values)) >= 3
        assert values[0] < points[0][name] < values[-1]
    rates = sorted(point["rate"] for point in points)
    assert all(high / low > 1.03 for low, high in pairwise(rates))


def test_without_priors_there_are_none() -> None:
    assert first_points(SPACE, {}) == []
    assert first_points(SPACE, {"freezing.lower_layers.layers": NormalPrior(0.5, 0.1)}) == []
