"""TPE that knows earlier studies: what they save, and what an unrelated one costs."""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler
from samplers import sampler_of, space_of

from tuning.search.knowledge.known import Earlier, Known
from tuning.search.samplers.seeded import Draw
from tuning.study.journal import open_optuna

SPACE = space_of(
    {
        "rate": {"log_range": [1e-5, 1e-2]},
        "size": {"int_range": [1, 9]},
        "freezing": {
            "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}]
        },
    }
)
Score = Callable[[dict], float]


def family(rate: float, size: float, kind: str) -> Score:
    """A function with its best at these values; both numbers count alike."""

    def score(point: dict) -> float:
        away = (math.log10(point["rate"] / rate) / 3) ** 2 + ((point["size"] - size) / 8) ** 2
        return -away - 0.05 * (point["freezing.kind"] != kind)

    return score


OURS = family(3e-4, 6, "none")
SIMILAR = (family(4e-4, 7, "none"), family(2e-4, 5, "none"))
UNRELATED = (family(8e-3, 2, "lower_layers"), family(1e-5, 9, "lower_layers"))


def earlier(score: Score, seed: int) -> Earlier:
    """A study of 24 random trials."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    points = []
    for _ in range(24):
        trial = study.ask()
        SPACE.sample(trial)
        points.append(trial.params)
    return Earlier("runs/before", tuple(sorted(points, key=score, reverse=True)))


def regret(scores: tuple[Score, ...], seed: int, trials: int) -> float:
    known = Known(earlier=tuple(earlier(one, 7 * seed + n) for n, one in enumerate(scores)))
    sampler = sampler_of("tpe", startup_trials=6).build(seed, SPACE, known)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(trials):
        trial = study.ask()
        SPACE.sample(trial)
        study.tell(trial, OURS(trial.params))
    return -study.best_value


def test_similar_studies_save_half_and_unrelated_ones_cost_little() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    alone, similar, unrelated = (
        mean(regret(scores, seed, 10) for seed in range(16)) for scores in ((), SIMILAR, UNRELATED)
    )
    assert similar < 0.5 * alone
    assert unrelated < 1.5 * alone


def test_points_hang_on_seed_journal_and_what_was_read_alone(tmp_path: Path) -> None:
    known = Known(earlier=(earlier(SIMILAR[0], 1),))

    def drawn(name: str) -> dict[str, object]:
        sampler = sampler_of("tpe", startup_trials=2).build(3, SPACE, known)
        study = open_optuna(tmp_path / name, name="demo", sampler=sampler)
        trial = study.ask()
        SPACE.sample(trial)
        study.tell(trial, OURS(trial.params))
        return trial.params

    whole = [drawn("whole") for _ in range(8)]
    assert [drawn("again") for _ in range(8)] == whole
    assert all(SPACE.to_drawn(SPACE.of_drawn(point)) == point for point in whole)
    # The journal has these trials alone.
    study = open_optuna(tmp_path / "whole", name="demo", sampler=TPESampler())
    assert [trial.params for trial in study.trials] == whole


def test_without_earlier_studies_it_is_optunas_tpe() -> None:
    made = sampler_of("tpe").of_trial(Draw(5, 5, SPACE))
    assert type(made) is TPESampler


def test_keys_that_an_earlier_study_lacks_are_searched_as_ever() -> None:
    """It knows the rate alone: the others are drawn over all of their values."""
    rates_before = sorted(np.geomspace(1e-5, 1e-2, 30), key=lambda one: abs(math.log(one / 3e-4)))
    points = tuple({"rate": float(one), "size": 9} for one in rates_before)
    known = Known(earlier=(Earlier("runs/before", points),))
    sizes, rates = [], []
    for seed in range(60):
        sampler = sampler_of("tpe").build(seed, SPACE, known)
        trial = optuna.create_study(direction="maximize", sampler=sampler).ask()
        SPACE.sample(trial)
        sizes.append(trial.params["size"])
        rates.append(trial.params["rate"])
    assert np.mean(sizes) == pytest.approx(5, abs=1)
    near = sum(abs(math.log10(rate / 3e-4)) < 0.5 for rate in rates)
    assert near > 35  # Drawn evenly, 20 would be.
