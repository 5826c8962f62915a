"""Every kind of sampler: what a study takes for granted of each."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import cmaes
import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from ray import cloudpickle
from samplers import CONDITIONAL, MODELS, PLAIN, kinds, sampler_of, space_of

from mtl_core.errors import ConfigError
from tuning.search.samplers.base import SamplerBase
from tuning.search.told import tell_report
from tuning.space.space import Space
from tuning.study.journal import open_optuna


def opened(path: Path, kind: str, space: Space, *, seed: int = 3) -> optuna.Study:
    """A study as the next driver opens it."""
    return open_optuna(path, name="demo", sampler=sampler_of(kind).build(seed, space))


def begun(study: optuna.Study, space: Space) -> optuna.Trial:
    """A trial whose point is drawn."""
    trial = study.ask()
    space.sample(trial)
    return trial


def run(study: optuna.Study, space: Space, value: float) -> dict[str, object]:
    """Runs a trial that scores `value`."""
    trial = begun(study, space)
    study.tell(trial, value)
    return trial.params


VALUES = [0.1, 0.9, 0.4, 0.7, 0.5] * 2


@pytest.mark.parametrize("entries", [PLAIN, CONDITIONAL], ids=["plain", "conditional"])
@pytest.mark.parametrize("kind", kinds())
def test_points_lie_in_the_space_and_hang_on_seed_and_past_alone(
    tmp_path: Path, kind: str, entries: dict
) -> None:
    space = space_of(entries)
    whole, other = opened(tmp_path / "a", kind, space), opened(tmp_path / "b", kind, space, seed=4)
    expected = [run(whole, space, value) for value in VALUES]
    pieces = [run(opened(tmp_path / "pieces", kind, space), space, value) for value in VALUES]
    assert pieces == expected
    assert run(other, space, VALUES[0]) != expected[0]
    assert all(space.to_drawn(space.of_drawn(point)) == point for point in expected)
    branches = [point for point in expected if "freezing.kind" in point]
    assert all(
        ("freezing.lower_layers.layers" in point) == (point["freezing.kind"] == "lower_layers")
        for point in branches
    )
    cloudpickle.loads(cloudpickle.dumps(sampler_of(kind).build(3, space)))


@pytest.mark.parametrize("kind", kinds())
def test_trials_side_by_side_have_other_points(tmp_path: Path, kind: str) -> None:
    space = space_of(PLAIN)
    study = opened(tmp_path / "journal", kind, space)
    running: list[optuna.Trial] = []
    for number in range(12):
        running.append(begun(study, space))
        if len(running) == 4:  # The third of four ends, with a value that is better than before.
            study.tell(running.pop(2), 0.01 * number)
    points = [tuple(trial.params.items()) for trial in study.get_trials(deepcopy=False)]
    assert len(set(points)) == len(points) == 12


SMALL = {"size": {"int_range": [1, 4]}, "pooling": {"choice": ["mean", "first", "max"]}}
"""A space of 12 points."""


@pytest.mark.parametrize("kind", kinds())
def test_no_point_of_a_small_space_is_tried_twice_before_all_were_tried(
    tmp_path: Path, kind: str
) -> None:
    space = space_of(SMALL)
    study = opened(tmp_path / "journal", kind, space)
    points = [tuple(run(study, space, 0.1).items()) for _ in range(12)]
    assert len(set(points)) == 12


@pytest.mark.parametrize("kind", MODELS)
def test_stopped_and_pausing_trials_are_learnt_from(tmp_path: Path, kind: str) -> None:
    """As with a scheduler: one trial of sixteen runs to its end."""
    space = space_of({"rate": {"log_range": [1e-5, 1e-3]}})
    study = opened(tmp_path / "journal", kind, space)
    away = []
    for number in range(16):
        trial = begun(study, space)
        away.append(abs(math.log10(trial.params["rate"]) + 3.5))
        for step in range(1, 4 if number == 0 else 2):
            trial.report(-away[-1] - 1 / step, step)
        if number == 0:
            study.tell(trial, -away[-1] - 1 / 3)
        elif number % 2:
            study.tell(trial, state=TrialState.PRUNED)
    # Drawn evenly, the mean distance is 0.625.
    assert sum(away[-5:]) / 5 < 0.35


def shown(study: optuna.Study, kind: str, space: Space) -> Iterator[tuple[int, str, float | None]]:
    """What a sampler of a kind is shown of the trials."""
    for trial in sampler_of(kind).look(space)(study.get_trials(deepcopy=False)):
        yield trial.number, trial.state.name, trial.values and trial.values[0]


def test_what_samplers_are_shown_of_trials_that_did_not_run_to_their_end(tmp_path: Path) -> None:
    space = space_of(PLAIN)
    study = opened(tmp_path / "journal", "random", space)
    for values in ([0.5, 0.6, 0.8], [0.4, 0.5, 0.5], [0.5, 0.6, 0.75]):
        trial = begun(study, space)
        for step, value in enumerate(values, start=1):
            trial.report(value, step)
        study.tell(trial, values[-1])
    stopped, pausing, _, failed = (begun(study, space) for _ in range(4))
    for trial, value in ((stopped, 0.3), (pausing, 0.7), (failed, 0.2)):
        trial.report(value, 1)
    study.tell(stopped, state=TrialState.PRUNED)
    study.tell(failed, state=TrialState.FAIL)
    lacks = study.ask()
    lacks.suggest_categorical("pooling", ["mean", "first"])
    study.tell(lacks, 0.9)
    ended = [(0, "COMPLETE", 0.8), (1, "COMPLETE", 0.5), (2, "COMPLETE", 0.75)]
    # Behind the first report the three gained 0.3, 0.1 and 0.25.
    rest = [(3, "COMPLETE", 0.55), (4, "COMPLETE", 0.95), (5, "RUNNING", None)]
    assert [pytest.approx(one) for one in shown(study, "cma_es", space)] == [*ended, *rest]
    rest = [(3, "PRUNED", 0.3), (4, "PRUNED", 0.7), (5, "RUNNING", None)]
    assert list(shown(study, "tpe", space)) == [
        *ended, *rest, (6, "FAIL", None), (7, "COMPLETE", 0.9),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", kinds())
def test_where_trials_have_limits_those_that_run_or_pause_say_nothing_yet(
    tmp_path: Path, kind: str
) -> None:
    space = space_of(PLAIN)
    study = opened(tmp_path / "journal", kind, space)
    for number in range(7):
        trial = begun(study, space)
        trial.report(0.1 * number, 1)
        if number != 5:  # It goes on, or pauses.
            trial.set_constraint("parameters", 0.1 * number - 0.3)
            study.tell(trial, *([0.1 * number] if number % 2 else [None, TrialState.PRUNED]))
    begun(study, space)
    assert all(number != 5 or state == "RUNNING" for number, state, _ in shown(study, kind, space))


@pytest.mark.parametrize("kind", ["tpe", "gp", "nsga2", "nsga3", "qmc", "random"])
def test_trials_of_several_objectives_that_were_stopped_are_shown_with_them(
    tmp_path: Path, kind: str
) -> None:
    space = space_of(PLAIN)
    sampler = sampler_of(kind).build(3, space)
    names = ["intent.accuracy", "slots.f1"]
    study = open_optuna(tmp_path / "journal", name="demo", sampler=sampler, objectives=names)
    for number in range(9):
        trial = begun(study, space)
        tell_report(trial, 1, 0.5, [0.1 * number, 0.9 - 0.1 * number])
        if number % 3 == 0:
            study.tell(trial, [0.1 * number, 1 - 0.1 * number])
        elif number % 3 == 1:
            study.tell(trial, state=TrialState.PRUNED)
    points = [tuple(trial.params.items()) for trial in study.get_trials(deepcopy=False)]
    assert len(set(points)) == 9
    found = sampler_of(kind).look(space)(study.get_trials(deepcopy=False))
    if kind not in ("gp", "qmc"):
        assert all(one.state == TrialState.COMPLETE for one in found)
        assert found[1].values == pytest.approx([0.1, 0.8])
        assert found[2].values == pytest.approx([0.2, 0.7])
        assert found[3].values == pytest.approx([0.3, 0.7])


def test_cma_es_finds_the_middle_of_a_bowl_and_is_the_algorithm_of_its_package(
    tmp_path: Path,
) -> None:
    space = space_of({"a": {"range": [-1.0, 1.0]}, "b": {"range": [-1.0, 1.0]}})
    study = opened(tmp_path / "journal", "cma_es", space)
    away = []
    for _ in range(60):
        trial = begun(study, space)
        away.append(math.hypot(trial.params["a"] - 0.5, trial.params["b"] + 0.5))
        study.tell(trial, -away[-1])
    assert sum(away[-12:]) / 12 < 0.1
    # The same trials, told by hand in generations of 4, lead to where the next points are drawn.
    reference = cmaes.CMA(np.array([0.5, 0.5]), 1 / 6, population_size=4)
    points = [trial.params for trial in study.get_trials(deepcopy=False)]
    shares = [np.array([(point["a"] + 1) / 2, (point["b"] + 1) / 2]) for point in points]
    for start in range(0, 56, 4):
        reference.tell(list(zip(shares[start:], away[start : start + 4], strict=False)))
    # Of the last generation, none of which the others knew.
    assert np.abs(np.mean(shares[56:], axis=0) - reference.mean).max() < 0.05
    assert not any(trial.system_attrs for trial in study.get_trials(deepcopy=False))


@pytest.mark.parametrize("sequence", ["sobol", "halton"])
def test_qmc_is_even_whatever_was_given_and_whatever_failed(tmp_path: Path, sequence: str) -> None:
    entries = {
        "a": {"range": [0.0, 1.0]},
        "b": {"log_range": [1.0, 2.0**16]},
        "c": {"choice": [1, 2, 3, 4]},
    }
    space = space_of(entries)
    sampler = sampler_of("qmc", sequence=sequence)
    study = open_optuna(tmp_path / "journal", name="demo", sampler=sampler.build(3, space))
    study.enqueue_trial({"a": 0.5})
    for _ in range(17):
        study.tell(begun(study, space), state=TrialState.FAIL)
    drawn = [trial.params for trial in study.get_trials(deepcopy=False)[1:]]
    sixteenths = Counter(int(point["a"] * 16) for point in drawn)
    octaves = Counter(int(math.log2(point["b"])) for point in drawn)
    options = Counter(point["c"] for point in drawn)
    # A Sobol sequence has one point in each sixteenth; Halton's, one in each half at any time.
    if sequence == "sobol":
        assert set(sixteenths.values()) == set(octaves.values()) == {1}
        assert options == dict.fromkeys([1, 2, 3, 4], 4)
    assert max(sixteenths.values()) <= 2
    assert sum(count for at, count in sixteenths.items() if at < 8) == 8


GRID = {
    "rate": {"log_range": [1e-4, 1e-2]},
    "layers": {"log_int_range": [1, 4]},
    "freezing": {
        "choice": [
            {"kind": "none"},
            {"kind": "lower_layers", "layers": {"int_range": [1, 2]}},
        ]
    },
}


def test_a_grid_has_every_point_once_and_sections_only_where_they_are_chosen() -> None:
    found = sampler_of("grid", points=3).every_point(space_of(GRID))
    freezings = [
        {"freezing.kind": "none"},
        {"freezing.kind": "lower_layers", "freezing.lower_layers.layers": 1},
        {"freezing.kind": "lower_layers", "freezing.lower_layers.layers": 2},
    ]
    assert found == [
        {"rate": rate, "layers": layers, **freezing}
        for rate in (1e-4, 1e-3, 1e-2)
        for layers in (1, 2, 4)
        for freezing in freezings
    ]


def test_a_study_of_a_grid_ends_with_it_and_repeats_nothing_that_was_given(tmp_path: Path) -> None:
    space = space_of(SMALL)
    study = open_optuna(
        tmp_path / "journal", name="demo", sampler=sampler_of("grid").build(3, space)
    )
    study.enqueue_trial({"size": 2, "pooling": "max"})
    points = [tuple(run(study, space, 0.1).values()) for _ in range(12)]
    assert points[0] == (2, "max")
    assert set(points) == set(product(range(1, 5), ("mean", "first", "max")))
    assert points[1:] != sorted(points[1:])  # In random order: a study may end before the grid.


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (
            sampler_of("grid", points=None),
            r"^points: expected a number of at least 2, since .*rat",
        ),
        (sampler_of("grid", points=200), r"^kind: the grid has more than 10,000 points; "),
    ],
)
def test_a_grid_that_nobody_can_try_is_refused(sampler: SamplerBase, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sampler.check(space_of(PLAIN))


def test_cma_es_asks_for_a_number() -> None:
    with pytest.raises(ConfigError, match=r"^kind: found 'cma_es', which evolves numbers, and "):
        sampler_of("cma_es").check(space_of({"pooling": PLAIN["pooling"]}))
    sampler_of("cma_es").check(space_of({"size": PLAIN["size"]}))


@pytest.mark.parametrize("kind", ["cma_es", "nsga2", "nsga3"])
def test_what_is_drawn_at_random_in_sections_is_said(kind: str) -> None:
    [line] = sampler_of(kind).doubts(space_of(CONDITIONAL), 24)
    assert line == (
        f"study.sampler: {kind} draws at random what stands inside of a choice of sections: "
        "freezing.lower_layers.layers; tpe and gp learn from these as well"
    )


@pytest.mark.parametrize("kind", ["gp", "cma_es", "nsga2", "nsga3"])
def test_a_study_that_ends_before_its_sampler_begins_is_told(kind: str) -> None:
    sampler = sampler_of(kind)
    assert list(sampler.doubts(space_of(PLAIN), 24)) == []
    [line] = sampler.doubts(space_of(PLAIN), 3)
    assert line.startswith(f"study.sampler: {kind} ")
    assert "study.trials is 3: all of them are" in line
