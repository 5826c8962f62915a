"""Successive halving by fronts: against ASHA with one objective, and cases worked by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from trials import report

from mtl_core.training.report import Report
from tuning.goals import Goal
from tuning.records import run_id_of
from tuning.search.schedulers.asha import AshaSection, Form
from tuning.search.schedulers.base import Extent, Scheduler
from tuning.search.schedulers.pareto_asha import ParetoAshaSection
from tuning.trainers.decisions import GoOn, Pause, Stop

TWO = Goal(("intent", "slots"))


def scored(number: int, *scores: float) -> Report:
    names = ("intent", "slots", "topic")
    dev = {name: {"score": score} for name, score in zip(names, scores, strict=False)}
    return replace(report(number, sum(scores) / len(scores)), dev=dev)


def first_rung(scheduler: Scheduler, points: Sequence[tuple[float, ...]]) -> list[object]:
    found = []
    for number, scores in enumerate(points):
        scheduler.begin(run_id_of(number))
        found.append(scheduler.decide(run_id_of(number), scored(1, *scores)))
    return found


def test_a_run_goes_on_that_is_best_in_one_task_alone() -> None:
    scheduler = ParetoAshaSection(reduction_factor=2).build(4, TWO.values)
    points = [(0.5, 0.5), (0.9, 0.1), (0.1, 0.9), (0.4, 0.4), (0.3, 0.3), (0.6, 0.6)]
    # The first, then both ends of the front; not what others dominate, but what dominates others.
    assert first_rung(scheduler, points) == [*(GoOn(), GoOn(), GoOn(), Stop(), Stop(), GoOn())]
    # By their mean the same runs would be the worst: ASHA stops them.
    asha = AshaSection(reduction_factor=2).build(4, TWO.values)
    assert first_rung(asha, [(0.5, 0.5), (0.6, 0.6), (0.1, 0.9)])[2] == Stop()


def test_within_a_front_the_more_crowded_end() -> None:
    """Four on one front, of which two may go on: the ends stand alone, the middle is crowded."""
    scheduler = ParetoAshaSection(reduction_factor=2).build(4, TWO.values)
    first_rung(scheduler, [(0.0, 1.0), (1.0, 0.0), (0.5, 0.5)])
    assert scheduler.decide(run_id_of(3), scored(1, 0.51, 0.49)) == Stop()


def test_nobody_waits_in_vain_and_the_promoting_form_takes_the_front_first() -> None:
    scheduler = ParetoAshaSection(form="promoting", reduction_factor=3).build(9, TWO.values)
    points = [(0.9, 0.1), (0.5, 0.5), (0.4, 0.4), (0.1, 0.9), (0.3, 0.3), (0.2, 0.2)]
    assert set(first_rung(scheduler, points)) == {Pause()}
    # Two of six: the ends of the first front.
    assert [scheduler.next_paused() for _ in range(3)] == ["0000", "0003", None]
    assert scheduler.describe() == "6 runs at 1 epochs, 0 runs at 3 epochs; 4 wait"
    scheduler.forget("0001")
    assert "3 wait" in scheduler.describe()


@pytest.mark.parametrize("form", ["stopping", "promoting"])
def test_a_random_course_goes_on_the_same_after_a_restart(form: Form) -> None:
    generator = np.random.default_rng(3)
    section = ParetoAshaSection(form=form, reduction_factor=2)
    lived = section.build(8, TWO.values)
    told: list[tuple[str, Report]] = []
    epochs: dict[str, int] = {}
    running = [run_id_of(number) for number in range(4)]
    for step in range(200):
        run_id = running[step % len(running)]
        epochs[run_id] = epochs.get(run_id, 0) + 1
        told.append((run_id, scored(epochs[run_id], *generator.random(2))))
        if lived.decide(*told[-1]) != GoOn() or epochs[run_id] == 8:
            named = lived.next_paused()
            running[step % len(running)] = named or run_id_of(len(epochs) + step)
    shown = section.build(8, TWO.values)
    for run_id, one in told:
        shown.decide(run_id, one)
    assert shown.describe().partition(";")[0] == lived.describe().partition(";")[0]
    for number in range(5):
        probe = scored(1, *generator.random(2))
        run_id = run_id_of(1000 + number)
        assert shown.decide(run_id, probe) == lived.decide(run_id, probe)


def test_with_one_objective_the_best_third_goes_on_as_in_asha() -> None:
    """Every third best so far, where ASHA's cutoff between two values does not blur it."""
    generator = np.random.default_rng(0)
    pareto = ParetoAshaSection().build(9)
    values: list[float] = []
    for number, value in enumerate(generator.random(40)):
        values.append(float(value))
        decided = pareto.decide(run_id_of(number), scored(1, float(value)))
        best = sorted(values, reverse=True)[: max(1, len(values) // 3)]
        assert decided == (GoOn() if value in best else Stop())


def test_asha_tells_that_it_compares_the_mean() -> None:
    [line] = AshaSection().doubts(Extent(trials=20, max_epochs=9, objectives=2))
    assert "compares the mean of the objectives" in line
    assert "pareto_asha" in line
    assert not list(ParetoAshaSection().doubts(Extent(trials=20, max_epochs=9, objectives=2)))
