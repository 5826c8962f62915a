"""Every kind of sampler: what a study takes for granted of each."""

import math
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from ray import cloudpickle
from samplers import CONDITIONAL, MODELS, PLAIN, kinds, sampler_of, space_of

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
    assert all(space.contains(name, value) for point in expected for name, value in point.items())
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
    assert [pytest.approx(one) for one in shown(study, "gp", space)] == [*ended, *rest]
    rest = [(3, "PRUNED", 0.3), (4, "PRUNED", 0.7), (5, "RUNNING", None)]
    assert list(shown(study, "tpe", space)) == [
        *ended, *rest, (6, "FAIL", None), (7, "COMPLETE", 0.9),
    ]  # fmt: skip
