"""Studies in virtual time, against sums worked by hand."""

from typing import get_args

import numpy as np
import pytest

from mtl_core.section import Section
from tuning.estimate.virtual import Cost, Spent, VirtualStudy
from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.base import Scheduler
from tuning.search.schedulers.kinds import SchedulerSection
from tuning.search.schedulers.pbt import PbtSection
from tuning.trainers.decisions import Stop

COST = Cost(epochs=9, setup=2.0, epoch=10.0)


def spent(
    scheduler: Scheduler,
    costs: list[Cost],
    *,
    trainers: int = 1,
    drift: float = 0.0,
    reports: int = 1,
) -> Spent:
    virtual = VirtualStudy(scheduler, costs, trainers, reports)
    return virtual.run(np.random.default_rng(0), drift=drift)


@pytest.mark.parametrize(("trainers", "rounds"), [(1, 6), (2, 3), (4, 2), (9, 1)])
def test_without_a_scheduler_all_run_to_their_end(trainers: int, rounds: int) -> None:
    found = spent(Scheduler(), [COST] * 6, trainers=trainers)
    assert found.epochs == pytest.approx(54)
    assert found.seconds == pytest.approx(rounds * (2 + 9 * 10))
    assert found.paused == 0


def test_a_free_trainer_takes_the_next_trial() -> None:
    # Of 1, 5, 1 and 1 epochs: one trainer has the second trial alone.
    costs = [Cost(epochs, 0.0, 1.0) for epochs in (1, 5, 1, 1)]
    assert spent(Scheduler(), costs, trainers=2).seconds == 5.0


@pytest.mark.parametrize("reports", [1, 4])
def test_with_asha_trials_that_only_get_worse_end_at_the_first_rung(reports: int) -> None:
    found = spent(AshaSection(grace_epochs=1).build(9), [COST] * 6, drift=-1e6, reports=reports)
    assert found.epochs == pytest.approx(9 + 5 * 1)
    assert found.seconds == pytest.approx(6 * 2 + (9 + 5) * 10)


def test_with_asha_trials_that_only_get_better_all_go_on() -> None:
    found = spent(AshaSection(grace_epochs=1).build(9), [COST] * 6, drift=1e6)
    assert found.epochs == pytest.approx(54)


def test_the_default_recipe_runs_to_its_end_however_poor_it_is() -> None:
    class StopAll(Scheduler):
        def decide(self, run_id, report):
            return Stop()

    assert spent(StopAll(), [COST] * 3).epochs == pytest.approx(9 + 1 + 1)


@pytest.mark.parametrize("section", get_args(get_args(SchedulerSection)[0]))
def test_every_scheduler_brings_a_study_to_its_end(section: type[Section]) -> None:
    found = spent(section().build(9), [COST] * 12, trainers=3, drift=1.0)
    assert 12 <= found.epochs <= 12 * 9
    assert found.seconds >= found.epochs * 10 / 3


def test_paused_trials_are_counted() -> None:
    promoting = AshaSection(form="promoting", grace_epochs=1, reduction_factor=3).build(9)
    found = spent(promoting, [COST] * 9)
    # Three rungs: one of three goes on at each, and trial 0 is never paused.
    assert 2 <= found.paused <= 8


@pytest.mark.parametrize("trainers", [1, 2, 3])
def test_of_a_population_all_are_paused_at_a_time(trainers: int) -> None:
    costs = [Cost(epochs, 2.0, 10.0) for epochs in (4, 4, 2, 4, 4, 4)]
    found = spent(PbtSection().build(4), costs, trainers=trainers, reports=2)
    assert found.paused == 6
    # The trial of 2 epochs is not waited for any more when it is over.
    assert found.epochs == pytest.approx(22)
    generations = sum(-(-runs // trainers) for runs in (6, 6, 5, 5))
    assert found.seconds == pytest.approx(generations * (2 + 10))
