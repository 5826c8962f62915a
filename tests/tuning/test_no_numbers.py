"""Scores that are no numbers: never the best, never judged, never in JSON; over all who compare."""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas
import pytest
from trials import record, report

from mtl_core.training.report import Report, best_report, best_so_far, why_no_number
from tuning.goals import Goal
from tuning.records import TrialRecord, rank
from tuning.search.schedulers.base import Scheduler
from tuning.search.study_scheduler import StudyScheduler
from tuning.trainers.decisions import Decision, GoOn
from tuning.watch.trials_csv import trials_frame

SEEDS = range(40)
STRANGE = (math.nan, math.inf, -math.inf)


def drawn_scores(rng: random.Random) -> list[float]:
    """Draws the scores of a trial, of which some are equal, and some no numbers."""
    return [
        rng.choice(STRANGE) if rng.random() < 0.4 else rng.choice((-0.5, 0.0, 0.25, 0.5, 1.0))
        for _ in range(rng.randrange(7))
    ]


def first_of_largest(scores: Sequence[float]) -> int | None:
    """Returns the number of the first of the largest finite scores, found by sorting."""
    finite = [(-score, number) for number, score in enumerate(scores) if math.isfinite(score)]
    return sorted(finite)[0][1] if finite else None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_epoch_is_the_first_of_the_largest_numbers(seed: int) -> None:
    scores = drawn_scores(random.Random(seed))
    reports = [report(epoch, score) for epoch, score in enumerate(scores, 1)]
    wanted = first_of_largest(scores)
    assert best_report(reports) == (None if wanted is None else reports[wanted])
    for epoch, score in enumerate(scores, 1):
        found, best = best_so_far(reports[: epoch - 1], epoch, score)
        so_far = first_of_largest(scores[:epoch])
        assert found == (0 if so_far is None else so_far + 1)
        assert best == scores[so_far] if so_far is not None else math.isnan(best)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_trial_and_the_order_of_trials_know_numbers_alone(seed: int) -> None:
    rng = random.Random(seed)
    records = [
        record(number, rng.choice(("complete", "stopped", "failed")), *drawn_scores(rng))
        for number in range(rng.randrange(8))
    ]
    scored = [
        one
        for one in records
        if one.status != "failed" and first_of_largest(scores_of(one)) is not None
    ]
    best = Goal().best(records)
    assert (best is None) == (not scored)
    if best is not None:
        tops = {one.id: max(filter(math.isfinite, scores_of(one))) for one in scored}
        assert best.id == min(tops, key=lambda run_id: (-tops[run_id], run_id))
    # The same order whichever way they come: with a NaN among the keys sorting would depend on it.
    shuffled = rng.sample(records, len(records))
    assert sorted(shuffled, key=rank) == sorted(records, key=rank)


def scores_of(one: TrialRecord) -> list[float]:
    return [made.combined for made in one.reports]


class Listening(Scheduler):
    """Hears what it is to judge."""

    def __init__(self) -> None:
        self.heard: list[float] = []

    def begin(self, run_id: str) -> None:
        del run_id

    def decide(self, run_id: str, report: Report) -> Decision:
        self.heard.append(report.combined)
        return GoOn()

    def next_paused(self) -> None:
        return None

    def forget(self, run_id: str) -> None:
        del run_id

    def describe(self) -> str:
        return ""


@pytest.mark.parametrize("seed", SEEDS)
def test_schedulers_judge_numbers_alone(seed: int) -> None:
    scores = drawn_scores(random.Random(seed))
    inner = Listening()
    StudyScheduler(inner).replay([record(3, "running", *scores)])
    assert inner.heard == [score for score in scores if math.isfinite(score)]


def strict(text: str) -> Any:
    """Reads JSON as other programs do: without NaN and Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("score", STRANGE)
def test_reports_are_json_that_comes_back_with_nan(score: float) -> None:
    numbers = {"a": score, "b": 0.5}
    made = replace(
        report(1, score), losses=numbers, weights=numbers, learning_rates=numbers,
        gradients=numbers, joint_accuracy=score, best_combined=score, best_number=0,
        dev={"intent": numbers},
    )  # fmt: skip
    line = made.to_json()
    assert strict(line)["losses"] == {"a": None, "b": 0.5}
    again = Report.from_json(line)
    assert again.to_json() == line
    for found in (again.losses, again.weights, again.gradients, again.dev["intent"]):
        assert math.isnan(found["a"])
        assert found["b"] == 0.5
    assert math.isnan(again.combined)
    assert again.best_number == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_table_of_trials_shows_the_best_number(seed: int) -> None:
    rng = random.Random(seed)
    records = [record(number, "complete", *drawn_scores(rng)) for number in range(5)]
    frame = trials_frame(records)
    for row, one in enumerate(records):
        best = first_of_largest(scores_of(one))
        cell = frame["best_epoch"][row]
        if best is None:
            assert pandas.isna(cell)
        else:
            assert (cell, frame["combined"][row]) == (best + 1, scores_of(one)[best])


def test_what_is_no_number_is_named() -> None:
    assert why_no_number(report(3, 0.5)) is None
    said = "epoch 3: the objective is no number but nan: accuracy of task 'intent' is nan"
    assert why_no_number(report(3, math.nan)) == said
    made = replace(report(2, math.inf), dev={"intent": {"accuracy": 0.5, "other": math.nan}})
    assert why_no_number(made) == "epoch 2: the objective is no number but inf"
