"""Budgets of a study, in virtual time: what ends, what goes on, and what a restart makes of it."""

import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from simulated_study import SimulatedStudy

from tuning.study.budget import Budget, epochs_of, in_vain

NONE = {"kind": "none"}
PROMOTING = {"kind": "asha", "form": "promoting"}


def limit(study: SimulatedStudy, **limits: float) -> SimulatedStudy:
    """Sets limits of the study, as `--set study.total_epochs=20` does."""
    section = study.study.study.model_copy(update=limits)
    study.study = study.study.model_copy(update={"study": section})
    return study


def ended_by(study: SimulatedStudy, seconds: float = 0.0) -> str | None:
    limits = study.study.study
    return Budget(limits, study.study.trials, study.history, lambda: seconds).over()


def statuses(study: SimulatedStudy) -> list[str]:
    return [record.status for record in study.history]


@pytest.mark.parametrize("trainers", [1, 2])
def test_epochs_end_what_runs_with_its_next_report(tmp_path: Path, trainers: int) -> None:
    study = SimulatedStudy(tmp_path, scheduler=NONE, trials=8, epochs=9, trainers=trainers)
    assert limit(study, total_epochs=20).run()
    # One report to notice it, and those of the trials beside it.
    assert 20 <= epochs_of(study.history) <= 20 + trainers
    assert statuses(study) == ["complete"] * 2 + ["stopped"] * trainers
    assert ended_by(study) == "total_epochs"


def test_a_budget_that_is_raised_lets_a_study_go_on(tmp_path: Path) -> None:
    whole = SimulatedStudy(tmp_path / "whole", scheduler=NONE, trials=4, epochs=3)
    assert whole.run()
    study = SimulatedStudy(tmp_path / "limited", scheduler=NONE, trials=4, epochs=3)
    assert limit(study, total_epochs=6).run()
    assert limit(study, total_epochs=100).run()
    assert ended_by(study) == "trials"
    assert [r.parameters for r in study.history] == [r.parameters for r in whole.history]


def test_hours_end_also_the_study_files_own_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = (time.monotonic() + 60 * look for look in count())
    clock = SimpleNamespace(monotonic=lambda: next(minutes))  # A minute for each look.
    monkeypatch.setattr("tuning.study.clock.time", clock)
    study = SimulatedStudy(tmp_path, scheduler=NONE, trials=8, epochs=100)
    assert limit(study, hours=1).run()
    assert statuses(study) == ["stopped"]
    assert 10 < epochs_of(study.history) <= 61


def test_without_a_gain_none_begins_and_what_runs_goes_on(tmp_path: Path) -> None:
    def learn(score: float, overrides: object) -> float:
        return 0.5  # All alike.

    study = SimulatedStudy(tmp_path, scheduler=NONE, trials=20, epochs=3, trainers=2, learn=learn)
    assert limit(study, patience=3).run()
    assert set(statuses(study)) == {"complete"}
    assert 4 <= len(study.history) <= 5
    assert in_vain(study.history) >= 3
    assert ended_by(study) == "patience"


def test_what_is_paused_or_was_interrupted_ends_with_the_budget(tmp_path: Path) -> None:
    study = SimulatedStudy(tmp_path, scheduler=PROMOTING, trials=9, epochs=9, trainers=2)
    assert not study.run(kill_at=150)
    assert any(not record.has_ended for record in study.history)
    trained = study.trained
    assert limit(study, total_epochs=1).run()
    # Nothing is trained for a budget that is spent: what is open ends where it was.
    assert study.trained == trained
    assert all(record.has_ended for record in study.history)
    assert all(trial.state.is_finished() for trial in study.journal)
    assert {record.status for record in study.history} <= {"complete", "stopped"}


@pytest.mark.parametrize("kill_at", [7, 40, 90, 200])
def test_a_kill_changes_nothing_in_what_epochs_allow(tmp_path: Path, kill_at: int) -> None:
    whole = limit(SimulatedStudy(tmp_path / "a", scheduler=PROMOTING, epochs=9), total_epochs=25)
    assert whole.run()
    study = limit(SimulatedStudy(tmp_path / "b", scheduler=PROMOTING, epochs=9), total_epochs=25)
    assert not study.run(kill_at=kill_at)
    assert study.run()
    assert study.told() == whole.told()
