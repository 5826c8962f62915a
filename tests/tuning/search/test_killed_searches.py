"""Every sampler with every scheduler: a driver that is killed again and again costs no trial."""

import os
import random
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import get_args

import pytest
import simulated_study
from optuna.trial import TrialState
from samplers import SETTINGS, kinds
from schedulers import FORMS
from simulated_study import TASKS, SimulatedStudy, next_report

from mtl_core.training.report import Report
from tuning.search.schedulers.kinds import SchedulerSection

KILLS = 10
SEARCH = {
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}]
    },
}
LATER = {"gp": {"startup_trials": 5}}
"""Kind -> settings; a draw of its model takes long."""
ALONE = {"random", "qmc", "grid"}
"""Samplers whose points do not hang on what trials reached."""


def searched(
    storage: Path, sampler: str, scheduler: str, *, trainers: int, **study: object
) -> SimulatedStudy:
    section = {"kind": sampler, **SETTINGS[sampler], **LATER.get(sampler, {})}
    settings = {"search": SEARCH, "trials": 6, "epochs": 3, "trainers": trainers, **study}
    return SimulatedStudy(storage, scheduler=FORMS[scheduler], sampler=section, **settings)


def killed(study: SimulatedStudy, draw: random.Random) -> int:
    """Goes on with a study until it ends, each time to a kill; returns how many there were."""
    for kills in range(KILLS):
        if study.run(kill_at=draw.randrange(1, 45)):
            return kills
    assert study.run()
    return KILLS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes long and is read by nobody here."""
    # It is the process that is killed, and not the machine.
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr("tuning.study.folder.dump", str)  # Of the recipe of each trial.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_every_kind_is_there() -> None:
    schedulers = get_args(get_args(SchedulerSection)[0])
    assert {form["kind"] for form in FORMS.values()} == {
        section.model_fields["kind"].default for section in schedulers
    }


@pytest.mark.parametrize("scheduler", FORMS)
@pytest.mark.parametrize("sampler", kinds())
def test_one_at_a_time_the_same_trials_end_in_the_same_way(
    tmp_path: Path, sampler: str, scheduler: str
) -> None:
    draw = random.Random(f"{sampler} {scheduler}")
    undisturbed = searched(tmp_path / "whole", sampler, scheduler, trainers=1)
    assert undisturbed.run()
    study = searched(tmp_path / "killed", sampler, scheduler, trainers=1)
    assert killed(study, draw) > 3
    assert study.told() == undisturbed.told()


@pytest.mark.parametrize(("sampler", "scheduler"), [*zip(kinds(), cycle(FORMS), strict=False)])
def test_side_by_side_none_is_lost_and_none_comes_twice(
    tmp_path: Path, sampler: str, scheduler: str
) -> None:
    draw = random.Random(f"{sampler} {scheduler}")
    undisturbed = searched(tmp_path / "whole", sampler, scheduler, trainers=3)
    assert undisturbed.run()
    study = searched(tmp_path / "killed", sampler, scheduler, trainers=3)
    assert killed(study, draw) > 3
    trials = study.journal  # A line that comes twice, or out of its order, would be refused.
    points = [tuple(trial.params.items()) for trial in trials]
    assert len(set(points)) == len(points) == 6
    for trial, record in zip(trials, study.history, strict=True):
        assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        assert trial.value == max(report.combined for report in record.reports)
        numbers = [report.number for report in record.reports]
        assert numbers == list(range(1, len(numbers) + 1)) == list(trial.intermediate_values)
    if sampler in ALONE:
        assert points == [tuple(trial.params.items()) for trial in undisturbed.journal]


TWO = {**TASKS, "slots": {"kind": "tagging", "dataset": "sample", "column": "slots"}}


def report_of_two(before: tuple[Report, ...], score: float, per_epoch: int = 1) -> Report:
    """A report of two tasks, of which one is learnt the worse the better the other is."""
    scores = {"intent": {"accuracy": score}, "slots": {"f1": 0.7 - score**2 / 2}}
    return replace(next_report(before, score, per_epoch), dev=scores)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "nsga3", "random"])
def test_with_two_objectives_the_same_trials_end_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    monkeypatch.setattr(simulated_study, "next_report", report_of_two)
    scheduler, draw = "pareto_asha", random.Random(sampler)
    settings = {"tasks": TWO, "objective": {"kind": "pareto"}, "trainers": 1}
    undisturbed = searched(tmp_path / "whole", sampler, scheduler, **settings)
    assert undisturbed.run()
    study = searched(tmp_path / "killed", sampler, scheduler, **settings)
    assert killed(study, draw) > 3
    assert study.told() == undisturbed.told()
    ended = [trial for trial in study.journal if trial.state == TrialState.COMPLETE]
    assert all(len(trial.values) == 2 for trial in ended)
