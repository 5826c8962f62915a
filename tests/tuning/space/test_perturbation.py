"""Small changes of recipes: inside the space, by factors or to neighbours, of some keys alone."""

import random

import pytest
from pydantic import TypeAdapter

from mtl_core.training.donors import may_differ
from tuning.space.perturbation import Perturbation
from tuning.space.space import Entry, Space

SPACE = Space(
    TypeAdapter(dict[str, Entry]).validate_python(
        {
            "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
            "optimizer.warmup": {"range": [0.0, 0.4], "step": 0.1},
            "optimizer.schedule": {"choice": ["linear", "cosine", "constant"]},
            "training.batch_size": {"choice": [16, 32]},
        }
    )
)
PARAMETERS = {
    "optimizer.head_lr": 1e-3,
    "optimizer.warmup": 0.1,
    "optimizer.schedule": "cosine",
    "training.batch_size": 16,
}
SMALL = Perturbation(resample=0.0, factors=(0.8, 1.2))


def perturbed(parameters: dict, perturbation: Perturbation, seed: int) -> dict:
    recipe = dict(parameters), dict(parameters)
    found = SPACE.perturbed(recipe, may_differ, perturbation, random.Random(seed))
    assert found[0] == found[1]
    return dict(found[1])


@pytest.mark.parametrize("seed", range(20))
def test_numbers_move_by_a_factor_and_others_to_a_neighbour(seed: int) -> None:
    found = perturbed(PARAMETERS, SMALL, seed)
    assert found["optimizer.head_lr"] in (pytest.approx(8e-4), pytest.approx(1.2e-3))
    assert found["optimizer.warmup"] in (0.0, 0.2)
    assert found["optimizer.schedule"] in ("linear", "constant")
    # A checkpoint is not taken over with another size of batches.
    assert found["training.batch_size"] == 16


def test_what_would_leave_the_range_stays_at_its_end() -> None:
    ends = {**PARAMETERS, "optimizer.head_lr": 1e-2, "optimizer.schedule": "constant"}
    found = [perturbed(ends, SMALL, seed) for seed in range(20)]
    assert {one["optimizer.head_lr"] for one in found} == {8e-3, 1e-2}
    assert {one["optimizer.schedule"] for one in found} == {"cosine"}


def test_some_values_are_drawn_anew() -> None:
    rates = {perturbed(PARAMETERS, Perturbation(1.0, (1.2,)), seed)["optimizer.head_lr"]
             for seed in range(40)}  # fmt: skip
    assert len(rates) == 40
    assert min(rates) < 3e-4
    assert 3e-3 < max(rates) <= 1e-2


def test_the_recipes_own_value_outside_of_the_space_stays() -> None:
    found = perturbed({**PARAMETERS, "optimizer.head_lr": 0.5}, SMALL, 0)
    assert found["optimizer.head_lr"] == 0.5
