"""The sampler `gp`: what it is told of trials as numbers, and what it makes of them."""

import math
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from samplers import CONDITIONAL, sampler_of, space_of
from sklearn.gaussian_process.kernels import Matern

from tuning.search.knowledge.known import Known
from tuning.search.samplers.evidence import Evidence, inputs
from tuning.search.samplers.process import Process
from tuning.search.told import tell_report
from tuning.space.priors import NormalPrior
from tuning.space.space import Space
from tuning.study.journal import open_optuna

UNIT = {"x": {"range": [0.0, 1.0]}}


def study_of(
    space: Space, folder: Path, known: Known | None = None, **more: object
) -> optuna.Study:
    """A study with the sampler, in a new journal."""
    sampler = sampler_of("gp", startup_trials=5).build(3, space, known or Known())
    number = next(count(len(list(folder.iterdir()))))
    return open_optuna(folder / f"journal{number}", name="demo", sampler=sampler, **more)


def begun(study: optuna.Study, space: Space) -> optuna.Trial:
    """A trial whose point is drawn."""
    trial = study.ask()
    space.sample(trial)
    return trial


def drawn(
    study: optuna.Study, space: Space, trials: int, value: Callable[[dict], float]
) -> list[dict]:
    """Runs trials to their end, one after the other; returns their points."""
    for _ in range(trials):
        trial = begun(study, space)
        study.tell(trial, value(trial.params))
    return [one.params for one in study.get_trials(deepcopy=False)]


def test_points_are_numbers_that_lie_apart_as_they_differ() -> None:
    space = space_of(
        {
            "rate": {"log_range": [1e-4, 1e-2]},
            "pooling": {"choice": ["mean", "first", "max"]},
            "freezing": CONDITIONAL["freezing"],
        }
    )
    points = [
        {"rate": 1e-3, "pooling": "mean", "freezing.kind": "none"},
        {"rate": 1e-2, "pooling": "max", "freezing.kind": "lower_layers",
         "freezing.lower_layers.layers": 1},
    ]  # fmt: skip
    half = math.sqrt(0.5)
    # rate; mean, first, max; none; layers.
    expected = [[0.5, half, 0, 0, 1, 0.5], [1, 0, 0, half, 0, 0.1]]
    assert inputs(space, points) == pytest.approx(np.array(expected))


def test_what_trials_say(tmp_path: Path) -> None:
    space = space_of(UNIT)
    study = study_of(space, tmp_path)
    whole, stopped, running, silent, failed = (begun(study, space) for _ in range(5))
    for number in range(1, 9):
        whole.report(0.1 * number, number)
    study.tell(whole, 0.8)
    for number in range(1, 4):
        stopped.report(0.05 * number, number)
    study.tell(stopped, state=TrialState.PRUNED)
    running.report(0.3, 1)
    failed.report(0.9, 1)
    study.tell(failed, state=TrialState.FAIL)
    found = Evidence.of(study.get_trials(deepcopy=False), np.random.default_rng(0))
    # Of 8 reports: the last one, and those after an eighth, a quarter and a half.
    third = 1 + math.log2(3 / 8) / 5
    expected = [
        (whole, 1.0, 0.8), (whole, 0.4, 0.1), (whole, 0.6, 0.2), (whole, 0.8, 0.4),
        (stopped, 0.4, 0.05), (stopped, 0.6, 0.1), (stopped, third, 0.15), (running, 0.4, 0.3),
    ]  # fmt: skip
    assert list(found.points) == [trial.params for trial, _, _ in expected]
    assert found.progress == pytest.approx([share for _, share, _ in expected])
    assert found.values[:, 0] == pytest.approx([value for _, _, value in expected])
    assert found.unfinished == (running.params, silent.params)
    assert found.trials == 4


def test_of_many_observations_the_best_are_kept() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    for number in range(700):
        value = (37 * number % 700) / 700
        study.add_trial(optuna.create_trial(value=value, params={}, distributions={}))
    found = Evidence.of(study.get_trials(deepcopy=False), np.random.default_rng(0))
    values = sorted(found.values[:, 0], reverse=True)
    assert len(values) == 400
    assert values[:200] == pytest.approx([number / 700 for number in range(699, 499, -1)])


def test_the_process_predicts_by_the_formula() -> None:
    """Rasmussen and Williams 2006, equations 2.25 and 2.26, at the length scales that it found."""
    rng = np.random.default_rng(0)
    known, asked = rng.random((30, 2)), rng.random((5, 2))
    targets = 3 + 2 * np.sin(4 * known[:, 0]) + 0.1 * rng.normal(size=30)
    process = Process.fit(known, targets, rng)
    found = process.regressor.kernel_
    matern = Matern(found.k1.k2.length_scale, nu=2.5)
    variance, noise = found.k1.k1.constant_value, found.k2.noise_level
    between = variance * matern(asked, known)
    inverse = np.linalg.inv(variance * matern(known) + noise * np.eye(30))
    scale = targets.std()
    mean = targets.mean() + between @ inverse @ (targets - targets.mean())
    spread = variance - np.einsum("ij,jk,ik->i", between, inverse, between)
    predicted, deviation = process.predict(asked)
    assert predicted == pytest.approx(mean, rel=1e-6)
    assert deviation == pytest.approx(scale * np.sqrt(spread), rel=1e-3)
    # What has no influence has a long scale: it varies over 0.2 to 20.
    assert found.k1.k2.length_scale[1] > 3 * found.k1.k2.length_scale[0]


def test_runs_that_went_on_say_what_becomes_of_those_that_were_stopped(tmp_path: Path) -> None:
    """High x begins well and ends badly; who only looked at values so far would draw high ones."""
    space = space_of(UNIT)
    study = study_of(space, tmp_path)

    def score(x: float, report: int) -> float:
        return {1: 0.1 + 0.5 * x, 2: 0.4 + 0.25 * x, 4: 0.9 - 0.2 * x}[report]

    for number, x in enumerate(np.linspace(0, 1, 12)):
        study.enqueue_trial({"x": float(x)})
        trial = begun(study, space)
        trial.report(score(x, 1), 1)
        if number % 3:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.report(score(x, 2), 2)
            trial.report(score(x, 4), 4)
            study.tell(trial, score(x, 4))
    points = [begun(study, space).params["x"] for _ in range(4)]
    assert max(points) < 0.5
    assert min(points) < 0.1


def test_it_learns_what_stands_inside_of_a_section(tmp_path: Path) -> None:
    space = space_of(CONDITIONAL)

    def value(point: dict) -> float:
        rate = math.log10(point["rate"] / 1e-4)
        return -(rate**2) - 0.3 * abs(point.get("freezing.lower_layers.layers", 9) - 4)

    points = drawn(study_of(space, tmp_path), space, 20, value)
    # Drawn at random, one in ten would have it.
    assert [point.get("freezing.lower_layers.layers") for point in points[-6:]].count(4) >= 3
    assert np.mean([abs(math.log10(point["rate"] / 1e-4)) for point in points[-6:]]) < 0.25


def test_priors_say_where_it_begins_and_not_where_it_ends(tmp_path: Path) -> None:
    space = space_of(UNIT | {"y": {"range": [0.0, 1.0]}})
    priors = {"x": NormalPrior(0.9, 0.1), "y": NormalPrior(0.9, 0.1)}

    def value(point: dict) -> float:
        return -((point["x"] - 0.2) ** 2) - (point["y"] - 0.3) ** 2

    def away(points: list[dict], x: float, y: float) -> float:
        return float(np.median([math.hypot(one["x"] - x, one["y"] - y) for one in points]))

    known = Known(priors=priors)
    wrong = drawn(study_of(space, tmp_path, known), space, 25, value)
    assert away(wrong[-5:], 0.2, 0.3) < 0.15
    # As long as nothing tells one point from another, the prior does.
    flat = drawn(study_of(space, tmp_path, known), space, 9, lambda point: 0.5)
    assert away(flat[5:], 0.9, 0.9) < 0.25


def test_it_stays_where_limits_hold(tmp_path: Path) -> None:
    space = space_of(UNIT)
    study = study_of(space, tmp_path)
    for _ in range(16):
        trial = begun(study, space)
        trial.set_constraint("parameters", trial.params["x"] - 0.5)
        study.tell(trial, trial.params["x"])
    points = [one.params["x"] for one in study.get_trials(deepcopy=False)]
    # What is worth most, beyond the limit, is left alone.
    assert all(0.4 < point < 0.56 for point in points[-6:])


def test_of_several_objectives_it_draws_where_none_is_beaten(tmp_path: Path) -> None:
    """Both rise up to 0.3 and fall from 0.6 on: between these one is paid for with the other."""
    space = space_of(UNIT)
    study = study_of(space, tmp_path, objectives=["intent.accuracy", "slots.f1"])
    for _ in range(20):
        trial = begun(study, space)
        x = trial.params["x"]
        values = [1 - (x - 0.3) ** 2, 1 - (x - 0.6) ** 2]
        tell_report(trial, 1, sum(values) / 2, values)
        study.tell(trial, values)
    points = [one.params["x"] for one in study.get_trials(deepcopy=False)][-10:]
    assert sum(0.25 <= point <= 0.65 for point in points) >= 8
    assert max(points) - min(points) > 0.1
