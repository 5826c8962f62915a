"""The studies in virtual time by which schedulers are compared."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("scheduler_regret")


def test_without_a_scheduler_all_trials_run_to_their_end(benchmark: ModuleType) -> None:
    curves = benchmark.drawn(np.random.default_rng(0), 5)
    study = benchmark.Study(benchmark.SECTIONS["none"].build(9), curves)
    assert list(study.run())[-1] == pytest.approx(5 * 9)
    assert study.shipped[0] == max(curve.seen.max() for curve in curves)


def test_halving_comes_nearer_to_the_best_with_as_many_epochs(benchmark: ModuleType) -> None:
    found = {
        name: benchmark.regret(benchmark.SECTIONS[name], trials=40, seeds=10)
        for name in ("none", "asha, stopping", "asha, promoting")
    }
    at = benchmark.BUDGETS.index(54)
    without = found.pop("none")
    assert without.epochs == pytest.approx(40 * 9)
    for one in found.values():
        assert one.means[at] < without.means[at]
        assert one.epochs < 0.5 * without.epochs
