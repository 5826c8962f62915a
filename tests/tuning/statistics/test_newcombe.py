"""The interval of a difference of two shares, where nothing but the shares is known."""

import pytest

from tuning.statistics.newcombe import difference_interval


@pytest.mark.parametrize(
    ("first", "second", "count", "low", "high"),
    [
        # Newcombe 1998, method 10, in closed form: both Wilson intervals at count = 10 are
        # (0.7225, 1) for 10/10 and (0, 0.2775) for 0/10.
        (1.0, 0.0, 10, 1 - (2 * 0.27753**2) ** 0.5, 1.0),
        (1.0, 1.0, 10, -0.27753, 0.27753),
    ],
)
def test_the_interval_agrees_with_the_hand_worked_case(
    first: float, second: float, count: int, low: float, high: float
) -> None:
    assert difference_interval(first, second, count) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_tends_to_the_textbook_one_in_large_samples() -> None:
    margin = 1.959964 * ((0.75 * 0.25 + 0.65 * 0.35) / 1e6) ** 0.5
    interval = difference_interval(0.75, 0.65, 1_000_000)
    assert interval == pytest.approx((0.10 - margin, 0.10 + margin), abs=1e-6)
