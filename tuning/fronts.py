"""Fronts: which of several points no other beats in all values, and what lies between them.

All functions take values of shape (points, objectives), higher is better, and finite.
"""

from bisect import bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def front_ranks(values: Values) -> npt.NDArray[np.int64]:
    """Returns in which front each point is: 0 = none beats it, 1 = those of 0 alone, and so on.

    A point beats another when it is at least as good in all objectives and better in one. The
    non-dominated sorting of NSGA-II (Deb et al. 2002, https://doi.org/10.1109/4235.996017).
    """
    points, where = np.unique(values, axis=0, return_inverse=True)
    found = _ranks_of_two(points) if points.shape[1] == 2 else _ranks(points)
    return found[where.reshape(-1)]


def _ranks(points: Values) -> npt.NDArray[np.int64]:
    """Returns the fronts of points that differ: peels off one after the other."""
    # (points, points): whether the one of the row is beaten by the one of the column.
    is_beaten = np.all(points[:, None] <= points[None], axis=2)
    np.fill_diagonal(is_beaten, val=False)
    ranks, rank = np.full(len(points), -1), 0
    left = np.ones(len(points), dtype=bool)
    while left.any():
        front = left & ~is_beaten[:, left].any(axis=1)
        ranks[front] = rank
        left, rank = left & ~front, rank + 1
    return ranks


def _ranks_of_two(points: Values) -> npt.NDArray[np.int64]:
    """Returns the same of points with two values, sorted as `np.unique` does.

    From the greatest first value down, a point is beaten by every front of which some point has at
    least its second value. The greatest second values of the fronts fall, so they are searched: a
    rung of some thousand runs is sorted at every report.
    """
    ranks = np.zeros(len(points), dtype=np.int64)
    greatest: list[float] = []  # Of each front the greatest second value, negated: they rise.
    for at in range(len(points) - 1, -1, -1):
        second = -float(points[at, 1])
        rank = bisect_right(greatest, second)
        greatest[rank : rank + 1] = [second]
        ranks[at] = rank
    return ranks


def crowding(values: Values) -> Values:
    """Returns the crowding distance of each point of one front, (points,); infinite at its ends.

    Deb et al. 2002, section III-B: the sum over objectives of the distance between both neighbours,
    as a share of the objective's range. Points with equal values count as one: the first of them
    has the distance, the others have none.
    """
    found = np.zeros(len(values))
    _, firsts = np.unique(values, axis=0, return_index=True)
    points = values[firsts]
    distances = np.zeros(len(points))
    for objective in points.T:
        order = np.argsort(objective, kind="stable")
        span = objective[order[-1]] - objective[order[0]]
        if span == 0:
            continue
        distances[order[[0, -1]]] = np.inf
        distances[order[1:-1]] += (objective[order[2:]] - objective[order[:-2]]) / span
    # A single point, or several with one value in all: none lies beside it.
    if len(points) == 1:
        distances[:] = np.inf
    found[firsts] = distances
    return found


def spread(values: Values) -> Values:
    """Returns a number for each point of one front, greater where it is farther from the others.

    The place in the epsilon-net of Salinas et al. 2021 (https://arxiv.org/abs/2106.05680): greedy,
    by the distance to the nearest point that was taken, from that with the greatest first value.
    """
    span = np.ptp(values, axis=0)
    points = (values - values.min(axis=0)) / np.where(span > 0, span, 1.0)
    found, nearest = np.zeros(len(points)), np.full(len(points), np.inf)
    left, at = list(range(len(points))), int(np.argmax(points[:, 0]))
    while True:
        found[at] = len(left)
        left.remove(at)
        if not left:
            return found
        nearest = np.minimum(nearest, np.linalg.norm(points - points[at], axis=1))
        at = max(left, key=lambda point: float(nearest[point]))


def hypervolume(values: Values, reference: npt.ArrayLike) -> float:
    """Returns the volume between a reference point and what the points dominate.

    By slices along the last objective: the volume of n objectives is the sum of those of n - 1.
    For a few hundred points of two objectives, or some tens of three.

    Args:
        values: The points.
        reference: One value per objective; points below it in one add nothing.
    """
    corner = np.asarray(reference, dtype=float)
    above = values[(values > corner).all(axis=1)]
    if not len(above):
        return 0.0
    if above.shape[1] == 1:
        return float(above.max() - corner[0])
    above = above[np.argsort(-above[:, -1], kind="stable")]
    floors = [*above[1:, -1], corner[-1]]
    slices = (
        (height - floor) * hypervolume(above[: at + 1, :-1], corner[:-1])
        for at, (height, floor) in enumerate(zip(above[:, -1], floors, strict=True))
        if height > floor
    )
    return float(sum(slices))


def knee(values: Values) -> int:
    """Returns the point of a front where more of one objective begins to cost much of another.

    The point farthest from the straight line through the ends of the front, towards better values
    (Das 1999, "On characterizing the knee of the Pareto curve based on Normal-Boundary
    Intersection", https://doi.org/10.1007/BF01195985), each objective as a share of its range on
    the front. Of more than two objectives the line is the plane through the corners at which one
    objective is at its best and the others at their worst. A front of which no point lies beyond
    the line, of two points say, has no knee: an end, or a point on the line, has the distance 0 and
    is taken. Of equal distances the greater sum of values wins, then the first.
    """
    span = np.ptp(values, axis=0)
    shares = (values - values.min(axis=0)) / np.where(span > 0, span, 1.0)
    # The plane is sum = 1, so the distance grows as the sum does. An objective that is the same for
    # all adds nothing. Rounded: 0.1 + 0.2 is no other distance than 0.3.
    distances = shares.sum(axis=1).round(9)
    keys: list[Any] = list(zip(distances.tolist(), values.sum(axis=1).tolist(), strict=True))
    return max(range(len(keys)), key=keys.__getitem__)
