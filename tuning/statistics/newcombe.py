"""How sure a difference between two scores is: its 95 % interval."""

import math
from statistics import NormalDist


def difference_interval(first: float, second: float, count: int) -> tuple[float, float]:
    """Returns (low, high), the two-sided 95 % interval of `first - second`; both out of `count`.

    Newcombe 1998, "Interval estimation for the difference between independent proportions",
    https://pubmed.ncbi.nlm.nih.gov/9595617/, method 10: unlike the textbook interval it does not
    shrink to a point at a share of 1. Two recipes scored on the same sentences are not
    independent but mostly err on the same ones, so for them the interval is rather too wide.

    Args:
        first: A share in [0, 1].
        second: A share in [0, 1].
        count: Number of sentences that each was measured on, at least 1; see
            `Objective.worth_in_rows`.
    """
    low_first, high_first = _wilson_interval(first, count)
    low_second, high_second = _wilson_interval(second, count)
    # With p1, p2 the shares and (l, u) their Wilson intervals, Newcombe's method 10 is
    #   p1 - p2 - sqrt((p1 - l1)^2 + (u2 - p2)^2)  to  p1 - p2 + sqrt((u1 - p1)^2 + (p2 - l2)^2):
    # the difference is least where the first is at its low end and the second at its high one.
    difference = first - second
    return (
        difference - math.hypot(first - low_first, high_second - second),
        difference + math.hypot(high_first - first, second - low_second),
    )


def _wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Returns the 95 % score interval of a share out of `count`.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    https://doi.org/10.1080/01621459.1927.10502953.
    """
    # (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n); z leaves 2.5 % on either side.
    z = NormalDist().inv_cdf(0.975)
    centre = share + z**2 / (2 * count)
    margin = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    return (centre - margin) / scale, (centre + margin) / scale
