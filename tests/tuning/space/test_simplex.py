"""Numbers with a fixed sum: uniform over all such points, told to Optuna and read back."""

import numpy as np
import optuna
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from mtl_core.errors import ConfigError
from tuning.space.simplex import breaks_of, shares
from tuning.space.space import Entry, Space

KEYS = ["tasks.a.weight", "tasks.b.weight", "tasks.c.weight"]


def space_of(entries: dict) -> Space:
    return Space(TypeAdapter(dict[str, Entry]).validate_python(entries))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shares_of_uniform_breaks_are_draws_of_a_flat_dirichlet(count: int) -> None:
    breaks = np.random.default_rng(0).random((4000, count - 1))
    drawn = np.array([shares(list(row)) for row in breaks])  # (draws, pieces)
    expected = stats.dirichlet([1.0] * count)
    assert drawn.sum(axis=1) == pytest.approx(np.ones(len(drawn)))
    assert drawn.min() >= 0
    assert drawn.mean(axis=0) == pytest.approx(expected.mean(), abs=0.01)
    assert np.cov(drawn.T) == pytest.approx(expected.cov(), abs=0.004)
    # Each piece by itself is Beta(1, count - 1).
    for piece in drawn.T:
        assert stats.kstest(piece, stats.beta(1, count - 1).cdf).pvalue > 0.001


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_breaks_of_shares_are_found_again(count: int) -> None:
    for row in np.random.default_rng(1).random((50, count - 1)):
        assert breaks_of(shares(list(row))) == pytest.approx(row, abs=1e-6)
    for whole in np.eye(count):
        assert shares(breaks_of(list(whole))) == pytest.approx(whole)
    assert shares([1.0] * (count - 1)) == [1.0, *[0.0] * (count - 1)]


def test_a_trial_is_shown_with_the_numbers_and_optuna_knows_one_less() -> None:
    space = space_of({"weights": {"simplex": KEYS, "sum": 3}})
    assert [one.name for one in space.shown] == KEYS
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    overrides = space.sample(trial)
    assert list(trial.params) == ["weights[1]", "weights[2]"]
    assert list(overrides) == KEYS
    assert sum(overrides.values()) == pytest.approx(3)
    assert space.of_drawn(trial.params) == overrides
    assert space.to_drawn(overrides) == pytest.approx(trial.params)


def test_a_recipes_own_numbers_are_a_point_only_if_they_have_the_sum() -> None:
    run = {"tasks": {name: {"weight": 1.0} for name in "abc"}}
    for total, is_point in ((3, True), (1, False)):
        space = space_of({"weights": {"simplex": KEYS, "sum": total}})
        shown = space.default_parameters(run, lambda overrides: run)
        assert shown == dict.fromkeys(KEYS, 1.0)
        drawn = space.to_drawn(shown)
        assert bool(drawn) == is_point
        if is_point:  # the middle of the triangle
            assert space.of_drawn(drawn) == pytest.approx(shown)
            assert drawn == pytest.approx({"weights[1]": 1 - (2 / 3) ** 2, "weights[2]": 0.5})


def test_its_corners_give_all_to_one() -> None:
    space = space_of({"w": {"simplex": ["a", "b"]}})
    assert list(space.corners()) == [("w", {"a": 1.0, "b": 0.0}), ("w", {"a": 0.0, "b": 1.0})]
    assert list(space.between()) == [("w", {"a": 0.5, "b": 0.5})]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"simplex": ["a"]}, "found a choice of 1; allowed: two options or more"),
        ({"simplex": ["a", "a"]}, "found the option 'a' twice"),
        ({"simplex": ["a", "b"], "sum": 0}, "greater than 0"),
        ({"simplex": ["a", "b"], "prior": {"likely": 1}}, "unknown key 'prior'; allowed here: .*"),
    ],
)
def test_what_is_no_simplex_is_refused(entry: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        space_of({"weights": entry})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("a.x", r"search\.a\.x: 'a\.x' stands in 'w', which sets it, too"),
        ("a", r"search\.w: 'a\.x' lies inside 'a', which is searched as a whole"),
    ],
)
def test_a_key_is_set_by_one_entry(other: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        space_of({"w": {"simplex": ["a.x", "b.x"]}, other: {"choice": [1, 2]}})
