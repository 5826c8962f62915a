"""Priors in the draws of a study: which share of the points comes from them, and what it brings."""

import math
from pathlib import Path
from statistics import NormalDist, mean

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial
from ray import cloudpickle
from samplers import kinds, sampler_of, space_of

from tuning.search.knowledge.known import Known
from tuning.search.knowledge.mixture import highest_rung, mixture_weights
from tuning.search.knowledge.worth import worths
from tuning.space.priors import NormalPrior
from tuning.space.space import Space
from tuning.study.journal import open_optuna

MAXIMIZE = [StudyDirection.MAXIMIZE]
LINE = space_of({"x": {"range": [0.0, 1.0]}})
AT_HOME = {"x": NormalPrior(0.5, 0.1)}


def at(x: float, *values: float) -> FrozenTrial:
    """A trial at `x` that reported these values."""
    return create_trial(
        params={"x": x}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
        value=values[-1], intermediate_values=dict(enumerate(values, start=1)),
    )  # fmt: skip


def weights(trials: list[FrozenTrial]) -> tuple[float, float, float]:
    found = mixture_weights(trials, MAXIMIZE, {"x": LINE.parameters[0]}, AT_HOME)
    return found.sampler, found.prior, found.near


@pytest.mark.parametrize(
    ("reports", "rung"),
    [([], -1), ([9, 9], -1), ([1, 1, 1], 0), ([9, 9, 2], 0), ([9, 9, 3], 1), ([9, 1, 9, 9], 2)],
)
def test_a_rung_counts_when_three_trials_have_reached_it(reports: list[int], rung: int) -> None:
    assert highest_rung(reports) == rung


def test_before_a_rung_is_reached_sampler_and_priors_share_the_points() -> None:
    assert weights([]) == (0.5, 0.5, 0.0)
    assert weights([at(0.5, 1.0), at(0.1, 0.9)]) == (0.5, 0.5, 0.0)


def bell(x: float, centre: float, spread: float) -> float:
    """The density of a normal distribution that is cut off at 0 and 1."""
    normal = NormalDist(centre, spread)
    return normal.pdf(x) / (normal.cdf(1) - normal.cdf(0))


def test_priors_and_best_trial_share_by_how_well_they_explain_the_best() -> None:
    trials = [at(0.9, 0.5), at(0.8, 0.7), at(0.85, 0.6), at(0.1, 0.1)]
    # The best three of rung 0, the best counting three times.
    top = [(0.8, 3), (0.85, 2), (0.9, 1)]
    prior = sum(times * bell(x, 0.5, 0.1) for x, times in top)
    near = sum(times * bell(x, 0.8, 0.25) for x, times in top)
    sampler, of_prior, of_near = weights(trials)
    assert sampler == 0.5
    assert of_prior == pytest.approx(0.5 * prior / (prior + near))
    assert of_prior + of_near == pytest.approx(0.5)
    assert of_near > 0.45  # The priors explain hardly anything of it.


def test_later_rungs_leave_the_sampler_less_but_a_third() -> None:
    trials = [at(0.1 * number, *[0.1] * 9) for number in range(4)]
    # 1 / (1 + 3 ** 2) in the paper.
    assert weights(trials)[0] == pytest.approx(1 / 3)


def test_of_several_objectives_the_best_are_those_that_few_dominate() -> None:
    def two(x: float, *values: float) -> FrozenTrial:
        return create_trial(
            params={"x": x}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
            values=list(values), user_attrs={"epochs": 1},
        )  # fmt: skip

    trials = [two(0.2, 0.9, 0.9), two(0.8, 0.5, 0.1), two(0.9, 0.1, 0.5), two(0.7, 0.0, 0.0)]
    found = mixture_weights(trials, MAXIMIZE * 2, {"x": LINE.parameters[0]}, AT_HOME)
    top = [(0.2, 3), (0.8, 2), (0.9, 1)]
    near = sum(times * bell(x, 0.2, 0.25) for x, times in top)
    prior = sum(times * bell(x, 0.5, 0.1) for x, times in top)
    assert found.near == pytest.approx(0.5 * near / (prior + near))


def test_what_breaks_a_constraint_is_never_the_best() -> None:
    study = optuna.create_study(direction="maximize")
    for value, broken in ((0.9, 0.2), (0.5, -1.0), (0.7, 0.1), (0.4, 0.0)):
        trial = study.ask()
        trial.set_constraint("latency", broken)
        study.tell(trial, value)
    worth = worths(study.trials, study.directions)
    order = sorted(study.trials, key=lambda one: worth[one.number], reverse=True)
    assert [trial.value for trial in order] == [0.5, 0.4, 0.7, 0.9]


SPACE = {
    "rate": {"log_range": [1e-5, 1e-2], "prior": {"likely": 3e-4, "sure": "high"}},
    "size": {"int_range": [1, 9]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}],
        "prior": {"likely": "none"},
    },
}
EVEN = {
    key: {name: value for name, value in entry.items() if name != "prior"}
    for key, entry in SPACE.items()
}


@pytest.mark.parametrize("kind", [kind for kind in kinds() if sampler_of(kind).uses_priors])
def test_points_hang_on_seed_and_journal_alone(tmp_path: Path, kind: str) -> None:
    space = space_of(SPACE)

    def drawn(name: str) -> dict[str, object]:
        sampler = sampler_of(kind).build(3, space)
        study = open_optuna(tmp_path / name, name="demo", sampler=sampler)
        trial = study.ask()
        space.sample(trial)
        value = 1 - abs(math.log10(trial.params["rate"] / 3e-4))
        study.tell(trial, value)
        return trial.params

    whole = [drawn("whole") for _ in range(10)]
    assert [drawn("again") for _ in range(10)] == whole
    assert all(space.to_drawn(space.of_drawn(point)) == point for point in whole)
    cloudpickle.loads(cloudpickle.dumps(sampler_of(kind).build(3, space)))


def test_half_of_the_first_points_come_from_the_prior() -> None:
    """Priors of the space and those that are shipped; the study file's own go first."""
    near = {"rate": 0, "size": 0}
    space = space_of(SPACE)
    shipped = {"rate": NormalPrior(1.0, 0.001), "size": NormalPrior(0.5, 0.01)}
    for seed in range(200):
        sampler = sampler_of("random").build(seed, space, Known(priors=shipped))
        trial = optuna.create_study(sampler=sampler).ask()
        space.sample(trial)
        near["rate"] += abs(math.log10(trial.params["rate"] / 3e-4)) < 0.375  # One deviation.
        near["size"] += trial.params["size"] == 5
    # 1 / 2 from the prior, of which 68 %; of all others a quarter.
    assert near["rate"] / 200 == pytest.approx(0.5 * 0.68 + 0.5 * 0.25, abs=0.1)
    assert near["size"] / 200 == pytest.approx(0.5 + 0.5 / 9, abs=0.1)


def regret(space: Space, known: Known, kind: str, *, seeds: int, trials: int) -> list[float]:
    """Mean over seeds of how far the best of the first trials is below the optimum."""
    found = []
    for seed in range(seeds):
        sampler = sampler_of(kind, **({"startup_trials": 6} if kind == "tpe" else {}))
        study = optuna.create_study(direction="maximize", sampler=sampler.build(seed, space, known))
        for _ in range(trials):
            trial = study.ask()
            space.sample(trial)
            study.tell(trial, value_of(trial.params))
        found.append(-study.best_value)
    return found


def value_of(point: dict) -> float:
    """0 at the best rate and size; both count alike, over the whole of their ranges."""
    rate = math.log10(point["rate"] / 3e-4) / 3
    size = (point["size"] - 6) / 8
    return -(rate**2 + size**2 + 0.02 * (point["freezing.kind"] != "none"))


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_a_prior_in_the_wrong_corner_costs_little_and_a_right_one_saves_half(kind: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = space_of(EVEN)
    right = {"rate": NormalPrior(0.55, 0.15), "size": NormalPrior(0.6, 0.15)}
    wrong = {"rate": NormalPrior(1.0, 0.05), "size": NormalPrior(0.0, 0.05)}
    alone, with_right, with_wrong = (
        mean(regret(space, Known(priors=priors), kind, seeds=24, trials=12))
        for priors in ({}, right, wrong)
    )
    assert with_right < 0.6 * alone
    assert with_wrong < 1.5 * alone
