"""What is known of a running study: best, counts, and how long it will take."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from trials import at_work, record

from tuning.records import TrialRecord
from tuning.trainers.messages import TrainerStatus
from tuning.watch.state import Snapshot, StudyState


def searching(
    *, trials: int = 10, ended: Sequence[TrialRecord] = (), trainers: int = 2
) -> StudyState:
    state = StudyState("demo")
    state.planned(trials=trials, ended=ended, epochs=3, trainers=trainers)
    return state


def seconds_left(state: StudyState) -> tuple[float, bool] | None:
    estimate = state.snapshot().estimate
    return None if estimate is None else (pytest.approx(estimate.seconds), estimate.is_bound)


def test_nothing_is_estimated_before_the_speed_of_steps_is_known() -> None:
    state = searching()
    state.began(record(0, "running"))
    state.progressed([at_work(0, epoch=1, step=2, seconds=4.0), TrainerStatus(is_ready=False)])
    assert state.snapshot().estimate is None


def test_first_steps_bound_the_whole_study() -> None:
    state = searching()
    state.began(record(0, "running"))
    state.progressed([at_work(0, epoch=1, step=10, seconds=10.0)])
    # 20 steps of 1 s and a tenth for dev: 22 s an epoch. The first trial has 2.5 left; 9 trials of
    # 3 wait, which are 5 rounds of two trainers.
    assert seconds_left(state) == (22 * (2.5 + 5 * 3), True)


def test_reports_replace_the_speed_of_steps() -> None:
    state = searching(trials=4, trainers=1)
    state.began(record(0, "running"))
    state.reported(record(0, "running", 0.5, seconds=30.0))
    state.progressed([at_work(0, epoch=2, step=10, seconds=10.0)])
    assert seconds_left(state) == (30 * (3 * 3 + 1.5), True)


def test_trials_to_come_are_as_long_as_those_that_ended() -> None:
    state = searching(trials=10, trainers=1)
    for number, scores in enumerate([(0.1,), (0.2,), (0.3, 0.4, 0.5, 0.6)]):
        state.began(record(number, "running"))
        state.ended(record(number, "stopped", *scores, seconds=10.0))
    # 2 epochs on average, 7 trials to come
    assert seconds_left(state) == (10 * 7 * 2, False)


def test_trials_of_earlier_sessions_are_done() -> None:
    before = [record(number, "complete", 0.1, 0.9, 0.2, seconds=10.0) for number in range(9)]
    state = searching(trials=10, ended=before, trainers=2)
    state.began(record(9, "running"))
    state.reported(record(9, "running", 0.5, seconds=10.0))
    # as long as those before, and one trial cannot use two trainers
    assert seconds_left(state) == (10 * 2, False)
    now = state.snapshot()
    assert now.ended == 9
    assert now.best is not None
    assert now.best.id == "0000"


def test_only_the_search_is_estimated() -> None:
    state = searching()
    state.began(record(0, "running"))
    state.reported(record(0, "running", 0.5))
    state.stage("scoring on test")
    assert state.snapshot().estimate is None


def test_best_may_still_run_and_is_never_a_failed_or_a_nan_one() -> None:
    state = searching()
    state.ended(record(0, "complete", 0.5))
    state.ended(record(1, "failed", 0.9, math.nan))
    state.began(record(2, "running"))
    state.reported(record(2, "running", 0.7))
    best = state.snapshot().best
    assert best is not None
    assert best.id == "0002"


def test_a_snapshot_stays_as_it_was() -> None:
    state = searching()
    state.began(record(0, "running"))
    before: Snapshot = state.snapshot()
    state.ended(record(0, "complete", 0.5))
    assert [one.id for one in before.running] == ["0000"]
    assert (before.ended, before.ranked) == (0, [])


def test_baselines_before_the_search_leave_its_estimate_alone() -> None:
    state = StudyState("demo")
    alone = replace(record(0, "running"), id="alone/intent/0000")
    state.queued([alone.id], [])
    state.began(alone)
    state.progressed([replace(at_work(0, epoch=1, step=10, seconds=10.0), job=alone.id)])
    # How long a run is has not been told yet.
    assert state.snapshot().estimate is None
    state.planned(trials=1, ended=[], epochs=3, trainers=1)
    state.began(record(0, "running"))
    state.progressed([at_work(0, epoch=1, step=10, seconds=10.0)])
    assert seconds_left(state) == (22 * 2.5, True)
