"""What makes one trial better than another: one number or several, within limits."""

import math
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from trials import report

from mtl_core.training.report import Report
from tuning.goals import Goal
from tuning.records import Status, TrialRecord, run_id_of

TWO = Goal(tasks=("intent", "slots"))


def scored(intent: float, slots: float, **change: object) -> Report:
    dev = {"intent": {"accuracy": intent, "macro_f1": 0.0}, "slots": {"f1": slots}}
    return replace(report(1, (intent + slots) / 2), dev=dev, **change)


def trial(number: int, *reports: Report, status: Status = "complete") -> TrialRecord:
    return TrialRecord(run_id_of(number), status, {}, {}, reports)


def ids(records: list[TrialRecord]) -> list[str]:
    return [record.id for record in records]


FOUR = [
    trial(0, scored(0.90, 0.80)),
    trial(1, scored(0.97, 0.60)),
    trial(2, scored(0.95, 0.78)),
    trial(3, scored(0.89, 0.79)),
]


def test_the_front_is_that_of_optuna() -> None:
    study = optuna.create_study(directions=["maximize"] * 2)
    for record in FOUR:
        study.add_trial(
            create_trial(state=TrialState.COMPLETE, values=TWO.values(record.reports[0]))
        )
    assert ids(TWO.front(FOUR)) == [run_id_of(one.number) for one in study.best_trials]


def test_the_knee_is_chosen_and_the_front_comes_before_the_rest() -> None:
    chosen = TWO.best(FOUR)
    assert chosen is not None
    assert chosen.id == "0002"
    # Of the front by the mean: 0.85 against 0.785.
    assert ids(TWO.ranked(FOUR)) == ["0002", "0000", "0001", "0003"]


@pytest.mark.parametrize(
    ("floors", "expected", "lacks"),
    [
        ({"intent": 0.94}, "0002", 0.0),
        ({"intent": 0.96}, "0001", 0.0),
        ({"slots": 0.79}, "0000", 0.0),
        # Both have a floor, and of those that hold them the mean counts.
        ({"intent": 0.5, "slots": 0.5}, "0002", 0.0),
        # None holds it: 0001 lacks least.
        ({"intent": 0.98}, "0001", 0.01),
        ({"intent": 0.95, "slots": 0.80}, "0002", 0.02),
    ],
)
def test_floors_choose_the_best_of_the_other_task_among_those_that_hold_them(
    floors: dict[str, float], expected: str, lacks: float
) -> None:
    goal = Goal(tasks=("intent", "slots"), floors=floors)
    chosen = goal.best(FOUR)
    assert chosen is not None
    assert chosen.id == expected
    assert goal.lacks(chosen) == pytest.approx(lacks)
    assert ids(goal.front(FOUR)) == ["0000", "0001", "0002"]
    assert goal.ranked(FOUR)[0] is chosen


def test_stopped_and_failed_trials_are_on_no_front() -> None:
    stopped = trial(4, scored(0.99, 0.99), status="stopped")
    failed = trial(5, scored(1.0, 1.0), status="failed")
    assert ids(TWO.front([*FOUR, stopped, failed])) == ["0000", "0001", "0002"]
    assert TWO.ranked([*FOUR, stopped, failed])[-1] is failed
    # Without any that ran to its end, what there is.
    assert ids(TWO.front([stopped, failed])) == ["0004"]
    assert TWO.front([failed]) == []
    assert TWO.best([failed, trial(6)]) is None


def test_a_trial_without_a_score_in_one_task_is_on_no_front() -> None:
    broken = trial(4, scored(0.99, math.nan, combined=0.99))
    assert ids(TWO.front([*FOUR, broken])) == ["0000", "0001", "0002"]
    assert ids(TWO.ranked([broken, FOUR[0]])) == ["0000", "0004"]


def test_one_objective_is_the_combined_score_and_has_no_front() -> None:
    goal = Goal()
    assert goal.front(FOUR) == []
    best = goal.best([*FOUR, trial(4, scored(0.96, 0.80), status="stopped")])
    assert best is not None
    assert best.id == "0004"
    assert ids(goal.ranked(FOUR)) == ["0002", "0000", "0003", "0001"]


LIMITS = {
    "parameters": 1000.0,
    "trained_parameters": 100.0,
    "ms_per_sentence": 2.0,
    "floors.intent": 0.9,
}


def test_limits_are_missed_by_shares_and_what_is_greatest_counts() -> None:
    goal = Goal(limits=LIMITS)
    first = scored(0.8, 0.9, parameters=900, trained={"head": 150}, ms_per_sentence=3.0)
    best = replace(scored(0.99, 0.9, parameters=900, trained={"head": 50}), ms_per_sentence=3.0)
    record = trial(1, first, best)
    assert goal.measured(record.reports) == {
        "parameters": 900,
        "trained_parameters": 150,
        "ms_per_sentence": 3.0,
        "floors.intent": 0.99,
    }
    assert goal.violations(record.reports) == pytest.approx(
        {
            "parameters": -0.1,
            "trained_parameters": 0.5,
            "ms_per_sentence": 0.5,
            "floors.intent": -0.1,
        }
    )
    assert goal.missed(record) == pytest.approx(1.0)
    assert goal.violations(()) == {}


def test_what_was_not_measured_is_missed_by_all_of_it() -> None:
    goal = Goal(limits={"ms_per_sentence": 2.0, "floors.topic": 0.5})
    assert goal.violations([scored(0.9, 0.9)]) == {"ms_per_sentence": 1.0, "floors.topic": 1.0}


@pytest.mark.parametrize("tasks", [(), ("intent", "slots")])
def test_a_trial_that_holds_the_limits_is_better_than_any_that_does_not(
    tasks: tuple[str, ...],
) -> None:
    goal = Goal(tasks=tasks, limits={"parameters": 1000.0})
    sizes = {0: 1500, 1: 1100, 2: 900, 3: 1000}
    records = [
        trial(number, scored(0.9 - number / 10, 0.9 - number / 10, parameters=size))
        for number, size in sizes.items()
    ]
    assert ids(goal.ranked(records)) == ["0002", "0003", "0001", "0000"]
    assert ids(goal.front(records)) == (["0002"] if tasks else [])
    # None holds them: the one that misses least.
    best = goal.best(records[:2])
    assert best is not None
    assert best.id == "0001"
    assert goal.front(records[:2]) == []
