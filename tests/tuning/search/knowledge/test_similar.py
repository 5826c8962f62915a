"""How alike studies are, against densities of Optuna's own and sums over a grid."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import create_trial

from tuning.search.knowledge._parzen import Parzen, good_and_other, num_good
from tuning.search.knowledge.known import Earlier
from tuning.search.knowledge.similar import (
    Density,
    log_mixture,
    similarities,
    similarity,
    task_weights,
)

SPACE = {
    "rate": FloatDistribution(1e-5, 1e-2, log=True),
    "layers": IntDistribution(1, 6),
    "pooling": CategoricalDistribution(("mean", "first")),
}
POINTS = [
    {"rate": 1e-4, "layers": 2, "pooling": "mean"},
    {"rate": 3e-4, "layers": 5, "pooling": "first"},
    {"rate": 2e-3, "layers": 3, "pooling": "mean"},
]
LINE = {"x": FloatDistribution(0.0, 1.0)}
GRID = {"x": np.linspace(0.0, 1.0, 4001)}


def generator() -> np.random.RandomState:
    return np.random.RandomState(0)


def test_densities_are_those_of_optunas_tpe() -> None:
    assert optuna.__version__.startswith("5.")
    sampler, study = TPESampler(multivariate=True), optuna.create_study(direction="maximize")
    trials = [
        create_trial(params=point, distributions=SPACE, value=float(number))
        for number, point in enumerate(POINTS)
    ]
    theirs = sampler._build_parzen_estimator(study, SPACE, trials, handle_below=True)
    ours = Parzen(POINTS, SPACE)
    points = ours.sample(generator(), 50)
    assert ours.log_density(points) == pytest.approx(theirs.log_pdf(points))
    good, other = good_and_other(study, trials)
    assert [one.value for one in good] == [2.0]
    assert {one.value for one in other} == {0.0, 1.0}
    assert [num_good(ended) for ended in (0, 1, 10, 11, 300)] == [0, 1, 1, 2, 25]


def line(*places: float) -> Density:
    return Density([{"x": place} for place in places], LINE)


@pytest.mark.parametrize(
    ("ours", "theirs"), [((0.2,), (0.2,)), ((0.1, 0.2), (0.8, 0.9)), ((0.5, 0.6), (0.4, 0.7))]
)
def test_similarity_is_made_of_the_total_variation_distance(
    ours: tuple[float, ...], theirs: tuple[float, ...]
) -> None:
    a, b = line(*ours), line(*theirs)
    step = GRID["x"][1]
    distance = 0.5 * step * np.abs(np.exp(a.log(GRID)) - np.exp(b.log(GRID))).sum()
    expected = (1 - distance) / (1 + distance)
    found = [similarity(a, b, np.random.RandomState(seed)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(expected, abs=0.02)
    assert np.std(found) < 0.05


def test_studies_are_compared_by_what_both_have() -> None:
    def study(place: float, name: str = "x") -> Earlier:
        points = tuple({name: place + 0.001 * number, "fixed": 1} for number in range(30))
        return Earlier("runs/demo", points)

    good = [{"x": 0.2}, {"x": 0.21}, {"x": 0.19}]
    near, far, other = similarities(
        good, [study(0.2), study(0.9), study(0.2, "y")], LINE, generator()
    )
    assert near > 0.5 > far
    assert other == 0.0
    # Nothing is known yet that speaks against any.
    assert similarities([], [study(0.9)], LINE, generator()) == [1.0]
    assert study(0.2).varied == ("x",)


def test_weights_of_studies() -> None:
    # As OptunaHub's `meta_learn_tpe` and the authors have them.
    # Two earlier studies: 1 - (0.5 + 1) / 3, 0.5 / 3, 1 / 3.
    assert task_weights([0.5, 1.0]) == pytest.approx([0.5, 1 / 6, 1 / 3])


def test_a_mixture_counts_trials_as_well() -> None:
    one, three = line(0.1), line(0.7, 0.8, 0.9)
    mixed = log_mixture([one, three], np.array([0.6, 0.4]), GRID)
    # 0.6 x 1 : 0.4 x 3 trials.
    expected = np.exp(one.log(GRID)) / 3 + np.exp(three.log(GRID)) * 2 / 3
    assert np.exp(mixed) == pytest.approx(expected)
    nobody = log_mixture([line(), line()], np.array([0.5, 0.5]), GRID)
    assert nobody == pytest.approx(line().log(GRID))


def test_a_study_says_nothing_of_what_it_did_not_vary() -> None:
    space = {**LINE, "y": FloatDistribution(0.0, 1.0)}
    points = [{"x": 0.3, "y": 0.9}, {"x": 0.35, "y": 0.9}]
    of_x = Density(points, space, ("x",))
    drawn = of_x.sample(generator(), 400)
    assert abs(np.mean(drawn["y"]) - 0.5) < 0.06
    assert of_x.size == 2
    assert Density(points, {"y": space["y"]}, ("x",)).size == 0
    flat = Parzen([], {"y": space["y"]}).log_density(drawn)
    assert of_x.log(drawn) == pytest.approx(Density(points, LINE).log(drawn) + flat)
