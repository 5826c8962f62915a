"""How sure a difference between two scores is."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist


def difference_interval(first: float, second: float, count: int) -> tuple[float, float]:
    """Returns the two-sided 95 % interval of `first - second`, each a share out of `count`.

    Newcombe 1998, "Interval estimation for the difference between independent proportions",
    https://pubmed.ncbi.nlm.nih.gov/9595617/, method 10: unlike the textbook interval it does not
    shrink to a point at a share of 1. Two recipes scored on the same sentences are not
    independent but mostly err on the same ones, so for them the interval is rather too wide.

    Args:
        first: A share in [0, 1].
        second: A share in [0, 1].
        count: Number of sentences that each was measured on, at least 1; see `worth_in_rows`.
    """
    low_first, high_first = _wilson_interval(first, count)
    low_second, high_second = _wilson_interval(second, count)
    difference = first - second
    return (
        difference - math.hypot(first - low_first, high_second - second),
        difference + math.hypot(high_first - first, second - low_second),
    )


def worth_in_rows(objective: str, tasks: Sequence[Mapping[str, int]]) -> int:
    """Returns of how many rows a combined score is a share, as far as chance goes.

    A mean over data sets of 1,000 and 100 rows is not as sure as a share of 1,100: half of it hangs
    on the 100. Tasks on the same data set are taken to err on the same rows, and data sets to have
    nothing to do with each other.

    Args:
        objective: How the tasks' scores become one: the `kind` of an objective.
        tasks: For each task that counts: data set -> rows with its labels.

    Returns:
        The rows; 0 when a task has none, so that there is no score.
    """
    totals = [sum(rows.values()) for rows in tasks]
    if not totals or min(totals) == 0:
        return 0
    datasets = {name for rows in tasks for name in rows}
    if objective == "joint_accuracy":  # Each row is right or wrong as a whole.
        return sum(max(rows.get(name, 0) for rows in tasks) for name in datasets)
    if objective == "minimum":
        return min(totals)
    # The deviation of a share of n rows is that of a single row by sqrt(n).
    deviations = {
        name: sum(
            rows[name] / total / math.sqrt(rows[name])
            for rows, total in zip(tasks, totals, strict=True)
            if name in rows
        )
        / len(tasks)
        for name in datasets
    }
    return round(1 / sum(deviation**2 for deviation in deviations.values()))


def _wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Wilson 1927, "Probable inference, the law of succession, and statistical inference"."""
    z = NormalDist().inv_cdf(0.975)
    centre = share + z**2 / (2 * count)
    margin = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    return (centre - margin) / scale, (centre + margin) / scale
