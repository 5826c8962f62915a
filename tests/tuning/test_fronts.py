"""Fronts against Optuna's own functions, and against cases worked by hand."""

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tuning.fronts import (
    crowding,
    front_ranks,
    hypervolume,
    knee,
    spread,
)

CASES = [
    (count, objectives, seed) for count in (1, 2, 30) for objectives in (2, 3) for seed in (0, 1)
]


def points(count: int, objectives: int, seed: int) -> np.ndarray:
    """Points on a coarse grid, so that there are equal ones and ties in one value."""
    return np.random.default_rng(seed).integers(0, 6, (count, objectives)) / 5


@pytest.mark.parametrize(("count", "objectives", "seed"), CASES)
def test_the_front_is_that_of_optuna_and_ranks_are_fronts_of_what_is_left(
    count: int, objectives: int, seed: int
) -> None:
    values = points(count, objectives, seed)
    ranks = front_ranks(values)
    for rank in range(ranks.max() + 1):
        left = values[ranks >= rank]
        study = optuna.create_study(directions=["maximize"] * objectives)
        study.add_trials([create_trial(state=TrialState.COMPLETE, values=one) for one in left])
        front = sorted(tuple(trial.values) for trial in study.best_trials)
        assert front == sorted(map(tuple, values[ranks == rank]))


@pytest.mark.parametrize(("count", "objectives", "seed"), CASES)
def test_the_volume_is_the_share_of_random_points_that_are_dominated(
    count: int, objectives: int, seed: int
) -> None:
    values = points(count, objectives, seed)
    drawn = np.random.default_rng(7).uniform(-0.2, 1, (20_000, objectives))
    share = (drawn[:, None] < values[None]).all(axis=2).any(axis=1).mean()
    found = hypervolume(values, [-0.2] * objectives)
    assert found == pytest.approx(share * 1.2**objectives, abs=0.02)


def test_volumes_by_hand() -> None:
    assert hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), [0, 0]) == 3
    assert hypervolume(np.array([[1.0, 2.0, 1.0], [2.0, 1.0, 1.0], [1, 1, 2]]), [0, 0, 0]) == 4
    assert hypervolume(np.array([[1.0, 2.0], [5.0, -1.0]]), [0, 0]) == 2
    assert hypervolume(np.empty((0, 2)), [0, 0]) == 0


def test_crowding_by_hand() -> None:
    """Between neighbours: (0.6 - 0) / 1 + (1 - 0.5) / 1 for the second, and so on."""
    front = np.array([[0.0, 1.0], [0.2, 0.9], [0.6, 0.5], [1.0, 0.0]])
    assert crowding(front) == pytest.approx([np.inf, 1.1, 1.7, np.inf])
    assert crowding(np.array([[0.5, 0.5]] * 3)).tolist() == [np.inf, 0, 0]
    assert crowding(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])).tolist() == [np.inf, np.inf, 0]


def test_a_front_is_spread_by_the_farthest_first() -> None:
    front = np.array([[0.0, 1.0], [0.2, 0.9], [0.6, 0.5], [1.0, 0.0]])
    assert spread(front).tolist() == [3, 1, 2, 4]
    assert spread(front * [1, 100]).tolist() == [3, 1, 2, 4]
    assert sorted(spread(np.array([[0.5, 0.5]] * 3))) == [1, 2, 3]


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ([[0.0, 1.0], [0.8, 0.9], [1.0, 0.0]], 1),
        # Scales do not count: the second is as far along in both.
        ([[0.90, 1.0], [0.98, 0.9], [1.0, 0.0]], 1),
        ([[0.0, 1.0], [0.5, 0.9], [0.9, 0.5], [1.0, 0.0]], 1),
        # The greater sum of equal distances: (0.9, 0.9) against (0.96, 0.5).
        ([[0.5, 1.0], [0.96, 0.96], [1.0, 0.5]], 1),
        # Two points, one point, equal points, a front that bends inwards: an end.
        ([[0.2, 0.9], [0.9, 0.3]], 1),
        ([[0.3, 0.4]], 0),
        ([[0.3, 0.4], [0.3, 0.4]], 0),
        ([[0.0, 1.0], [0.2, 0.2], [1.0, 0.1]], 2),
        ([[0.0, 1.0, 0.5], [0.9, 0.9, 0.5], [1.0, 0.0, 0.5]], 1),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]], 3),
    ],
)
def test_the_knee(front: list[list[float]], expected: int) -> None:
    assert knee(np.array(front)) == expected


def test_the_knee_of_a_circle_is_in_its_middle_and_farthest_from_the_chord() -> None:
    angles = np.linspace(0, np.pi / 2, 31)
    circle = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    assert knee(circle) == 15
    # The textbook distance to the line through both ends, on a lopsided front.
    front = np.stack([np.sin(angles) ** 0.3, np.cos(angles) ** 1.5], axis=1)
    start, end = front[0], front[-1]
    along = (end - start) / np.linalg.norm(end - start)
    away = front - start
    distances = away[:, 0] * along[1] - away[:, 1] * along[0]
    assert knee(front) == np.argmax(np.abs(distances))
