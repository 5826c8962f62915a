"""How far the best of several lucky trials is too high, and the mean of a final stage is not."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bias() -> Iterator[ModuleType]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("selection_bias")
    sys.path.remove(str(BENCHMARKS))


class Luck:
    """Stands for the fitted model: all recipes reach 0.5, and a run has more or less by chance."""

    epochs, reports = 1, 10

    def means(self, recipes: list[dict[str, Any]]) -> np.ndarray:
        return np.full((len(recipes), self.reports, 2), 0.5)

    def draw(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return mean + generator.normal(0, 0.05)


def test_the_best_of_many_is_lucky_and_a_mean_over_new_seeds_is_less_so(bias: ModuleType) -> None:
    found = np.array([bias.biases(Luck(), seed, {"kind": "none"}) for seed in range(4)])
    search, final, gain = found.mean(axis=0)
    # The mean of the greatest of 24 standard normal numbers is 1.95.
    assert search == pytest.approx(1.95 * 0.05, abs=0.04)
    # That of the greatest of four means over five: 1.03 / sqrt(5) = 0.46.
    assert final == pytest.approx(0.46 * 0.05, abs=0.02)
    assert gain == pytest.approx(0, abs=0.01)
