"""Runs that pause and go on: what journal and folder say, and that a kill loses nothing of it."""

import random
from pathlib import Path

import pytest
from optuna.trial import TrialState
from simulated_study import SimulatedStudy

PROMOTING = {"kind": "asha", "form": "promoting", "reduction_factor": 2}


def simulated(storage: Path, **settings: object) -> SimulatedStudy:
    return SimulatedStudy(storage, **{"scheduler": PROMOTING, **settings})


def test_a_paused_run_goes_on_where_it_was(tmp_path: Path) -> None:
    study = simulated(tmp_path)
    assert study.run()
    history, told = study.history, {}
    for record in history:
        told[record.id] = [one.number for one in record.reports]
        assert told[record.id] == list(range(1, len(record.reports) + 1))
    # Nothing was trained twice.
    assert study.trained == sum(map(len, told.values()))
    again = [(run_id, known) for run_id, known in study.handed_out if known]
    assert again
    assert all(known in (1, 2, 4, 8) for _, known in again)
    assert {run_id for run_id, known in again} == {
        record.id for record in history if len(record.reports) > 1 and record.id != "0000"
    }


def test_what_never_goes_on_ends_as_stopped_and_keeps_no_state(tmp_path: Path) -> None:
    study = simulated(tmp_path)
    assert study.run()
    trials = study.journal
    assert [trial.state for trial in trials].count(TrialState.PRUNED) >= 4
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert study.history.counts["stopped"] == [one.state for one in trials].count(TrialState.PRUNED)
    assert not list(study.folder.trials.glob("*/checkpoint/state.pt"))


def test_the_default_recipe_does_not_pause(tmp_path: Path) -> None:
    study = simulated(tmp_path)
    study.run()
    assert [run_id for run_id, _ in study.handed_out].count("0000") == 1
    assert len(study.history["0000"].reports) == 9


def test_a_paused_run_keeps_its_state_and_is_open(tmp_path: Path) -> None:
    study = simulated(tmp_path)
    assert not study.run(kill_at=200)
    waiting = [run_id for run_id, _ in study.stopped]
    assert waiting
    open_ones = {record.id for record in study.history if not record.has_ended}
    assert open_ones
    for run_id in open_ones & set(waiting):
        assert study.folder.state(run_id).exists()
        assert study.journal[int(run_id)].state == TrialState.RUNNING


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scheduler", [PROMOTING, {"kind": "asha"}], ids=["pauses", "stops"])
def test_killed_studies_end_as_undisturbed_ones(tmp_path: Path, seed: int, scheduler: dict) -> None:
    draw = random.Random(seed)
    undisturbed = simulated(tmp_path / "whole", scheduler=scheduler)
    assert undisturbed.run()
    killed = simulated(tmp_path / "killed", scheduler=scheduler)
    drivers = 1
    while not killed.run(kill_at=draw.randrange(1, 250)):
        drivers += 1
    assert drivers > 1
    assert killed.told() == undisturbed.told()
    # An epoch under way, or one of which nobody had heard, is all that a kill costs.
    assert killed.trained <= undisturbed.trained + drivers
