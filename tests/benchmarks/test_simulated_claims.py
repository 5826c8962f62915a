"""The benchmark of claims: what it simulates has the truth that intervals are held against."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("simulated_claims")


@pytest.mark.parametrize("spans", [None, 2.5])
def test_scores_scatter_around_the_truth(claims: ModuleType, spans: float | None) -> None:
    part = claims.Part(150, 2.0, 1.0, 0.3, spans)
    generator = np.random.default_rng(0)
    scores = np.array([part.scores(generator, 2) for _ in range(60)])  # (60, 2, 2, 1001)
    assert scores.shape == (60, 2, 2, 1001)
    assert 0 < scores.min() < scores.max() <= 1
    error = scores[..., 0].mean(axis=(1, 2)).std() / 60**0.5
    assert scores[..., 0].mean() == pytest.approx(part.truth(), abs=4 * error)
    assert scores[..., 1:].mean() == pytest.approx(scores[..., 0].mean(), abs=0.003)


def test_recipes_that_differ_are_told_apart(
    claims: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    equal = claims.simulate((claims.Part(150, 2.0, 1.0, 0.1),), 3, 40)
    assert max(equal) < 0.25
    scores = claims.Part.scores

    def better(part: object, generator: np.random.Generator, seeds: int) -> object:
        found = scores(part, generator, seeds)
        found[0] += 0.2
        return found

    monkeypatch.setattr(claims.Part, "scores", better)
    assert claims.simulate((claims.Part(150, 2.0, 1.0, 0.1),), 3, 10) == (1.0, 1.0)
