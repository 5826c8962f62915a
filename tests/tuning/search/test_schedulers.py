import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter
from trials import report

from tuning.records import TrialRecord, run_id_of
from tuning.search.schedulers.kinds import SchedulerSection
from tuning.search.study_scheduler import StudyScheduler
from tuning.trainers.decisions import Stop
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import TrialConfig, TrialResult

EPOCHS = 9


def asha(**settings: object) -> StudyScheduler:
    return scheduler_of({"kind": "asha", **settings})


def scheduler_of(raw: dict[str, object]) -> StudyScheduler:
    section = TypeAdapter(SchedulerSection).validate_python(raw)
    return StudyScheduler(section.build(max_epochs=EPOCHS))


def tune_trial(number: int) -> SimpleNamespace:
    """Tune's ids are drawn at random, so a restarted trial has another one."""
    spec = TrialSpec(run_id_of(number), {}, Path())
    config = TrialConfig(spec, {}, 0, PoolAddress("pool", "tests")).for_tune()
    return SimpleNamespace(trial_id=str(random.random()), config=config)


def result(epoch: int, combined: float) -> dict:
    return TrialResult(report(epoch, combined), is_last=epoch == EPOCHS).for_tune()


def first_epoch(scheduler: StudyScheduler, number: int, combined: float) -> str:
    trial = tune_trial(number)
    scheduler.on_trial_add(None, trial)
    return scheduler.on_trial_result(None, trial, result(1, combined))


def record(number: int, combined: list[float]) -> TrialRecord:
    reports = tuple(report(epoch, value) for epoch, value in enumerate(combined, start=1))
    return TrialRecord(run_id_of(number), "running", parameters={}, overrides={}, reports=reports)


class Study:
    """Trials that report in an arbitrary order; every decision is kept."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.values = [[draw.random() for _ in range(EPOCHS)] for _ in range(12)]
        self.reported: list[list[float]] = [[] for _ in self.values]
        self.stopped: set[int] = set()
        order = [number for number in range(len(self.values)) for _ in range(EPOCHS)]
        draw.shuffle(order)
        self.order = order
        self.trials: dict[int, SimpleNamespace] = {}

    def play(self, scheduler: StudyScheduler, order: list[int]) -> list[tuple[int, int, str]]:
        """Returns (number, epoch, decision) of every report of `order`."""
        decisions = []
        for number in order:
            if number not in self.stopped:
                trial = self.started(scheduler, number)
                epoch = len(self.reported[number]) + 1
                self.reported[number].append(self.values[number][epoch - 1])
                told = result(epoch, self.reported[number][-1])
                is_last = epoch == EPOCHS
                decision = "CONTINUE"  # Tune asks for none when the trial says that it is done
                if not is_last:
                    decision = scheduler.on_trial_result(None, trial, told)
                decisions.append((number, epoch, decision))
                if decision == "STOP" or is_last:
                    self.stopped.add(number)
                    scheduler.on_trial_complete(None, trial, told)
        return decisions

    def started(self, scheduler: StudyScheduler, number: int) -> SimpleNamespace:
        """Starts a trial on its first turn; after a restart its last report may come again."""
        if number not in self.trials:
            past = self.reported[number]
            trial = self.trials[number] = tune_trial(number)
            scheduler.on_trial_add(None, trial)
            if past:
                told = result(len(past), past[-1])
                assert scheduler.on_trial_result(None, trial, told) == "CONTINUE"
        return self.trials[number]


@pytest.mark.parametrize("seed", range(5))
def test_decisions_are_those_of_the_paper(seed: int) -> None:
    rungs: dict[int, list[float]] = {1: [], 3: []}  # 9 is the end, where nothing is left to stop
    study = Study(seed)
    for number, epoch, decision in study.play(asha(), study.order):
        expected = "CONTINUE"
        if epoch in rungs:
            value = max(study.values[number][:epoch])
            # Among the best third of those that have come this far; the yardstick always is.
            if number > 0 and rungs[epoch] and value < np.quantile(rungs[epoch], 2 / 3):
                expected = "STOP"
            rungs[epoch].append(value)
        assert (number, epoch, decision) == (number, epoch, expected)
    assert len(rungs[3]) < len(rungs[1])


@pytest.mark.parametrize("seed", range(5))
def test_restart_changes_no_decision(seed: int) -> None:
    whole = Study(seed)
    expected = whole.play(asha(), whole.order)
    study = Study(seed)
    before = study.play(asha(), study.order[:40])
    scheduler = asha()
    told = [(run_id_of(number), epoch) for number, epoch, _ in before]
    records = (record(number, values) for number, values in enumerate(study.reported))
    scheduler.replay(records, told)
    stopped = {number for number, _, decision in before if decision == "STOP"}
    decisions = {number: scheduler.decision_on(run_id_of(number)) for number in range(12)}
    assert {number for number, one in decisions.items() if one == Stop()} == stopped
    study.trials.clear()
    assert before + study.play(scheduler, study.order[40:]) == expected


def test_a_replayed_report_that_is_repeated_counts_once() -> None:
    scheduler = asha()
    scheduler.replay([record(1, [0.1]), record(2, [0.5])])
    resumed = tune_trial(1)
    scheduler.on_trial_add(None, resumed)
    assert scheduler.on_trial_result(None, resumed, result(1, 0.1)) == "CONTINUE"
    # Cutoff of 0.1 and 0.5 at two thirds: 0.37; with a second 0.1 it were 0.23.
    assert first_epoch(scheduler, 3, 0.3) == "STOP"


def test_the_files_own_recipe_is_never_stopped() -> None:
    scheduler = asha()
    assert first_epoch(scheduler, 1, 0.5) == "CONTINUE"
    assert first_epoch(scheduler, 0, 0.1) == "CONTINUE"
    assert first_epoch(scheduler, 2, 0.1) == "STOP"


def test_the_last_epoch_is_never_stopped() -> None:
    scheduler = asha(grace_epochs=EPOCHS - 1)
    scheduler.replay([record(1, [0.9] * EPOCHS)])
    trial = tune_trial(2)
    scheduler.on_trial_add(None, trial)
    assert scheduler.on_trial_result(None, trial, result(EPOCHS, 0.1)) == "CONTINUE"


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_spoils_no_cutoff(broken: float) -> None:
    scheduler = asha()
    assert first_epoch(scheduler, 1, 0.5) == "CONTINUE"
    assert first_epoch(scheduler, 2, broken) == "CONTINUE"
    assert first_epoch(scheduler, 3, 0.6) == "CONTINUE"
    assert first_epoch(scheduler, 4, 0.4) == "STOP"


def test_without_a_scheduler_nothing_is_stopped() -> None:
    scheduler = scheduler_of({"kind": "none"})
    scheduler.replay([record(1, [0.9, 0.9])])
    assert first_epoch(scheduler, 2, 0.1) == "CONTINUE"


def test_tune_may_only_name_what_the_study_maximises() -> None:
    scheduler = asha()
    assert scheduler.set_search_properties("combined", "max")
    assert not scheduler.set_search_properties("loss", "min")


def test_the_last_report_of_a_short_trial_counts_for_the_longer_ones() -> None:
    scheduler = asha()
    short, longer = tune_trial(1), tune_trial(2)
    for trial in (short, longer):
        scheduler.on_trial_add(None, trial)
        assert scheduler.on_trial_result(None, trial, result(1, 0.5)) == "CONTINUE"
    scheduler.on_trial_complete(None, short, TrialResult(report(3, 0.9), is_last=True).for_tune())
    assert scheduler.on_trial_result(None, longer, result(3, 0.8)) == "STOP"
