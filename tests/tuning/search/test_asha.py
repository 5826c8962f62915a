"""Successive halving: the stopping form against Ray's, the promoting form against the paper."""

import math
import random
from types import SimpleNamespace

import pytest
from curves import decisions_on, random_reports, report_at, without_stopped
from ray.tune.schedulers import AsyncHyperBandScheduler

from tuning.records import run_id_of
from tuning.search.schedulers.asha import AshaSection, PromotingAsha, StoppingAsha
from tuning.search.schedulers.rungs import rung_levels
from tuning.trainers.decisions import GoOn, Pause, Stop


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("grace", "factor", "steps"),
    [(1, 3, [1.0]), (1, 4, [1.0, 2.0, 5.0]), (2, 2, [0.5, 1.0]), (0.25, 1.5, [0.25])],
)
def test_stopping_decides_as_rays_with_the_best_so_far(
    seed: int, grace: float, factor: float, steps: list[float]
) -> None:
    reports = random_reports(seed, runs=40, steps=steps)
    ours = without_stopped(StoppingAsha(rung_levels(grace, factor, 1e3), factor), reports)
    theirs = AsyncHyperBandScheduler(
        time_attr="at", metric="score", mode="max", max_t=1000, grace_period=grace,
        reduction_factor=factor, stop_last_trials=False,
    )  # fmt: skip
    runs = [SimpleNamespace(trial_id=run_id_of(number)) for number in range(40)]
    for run in runs:
        theirs.on_trial_add(None, run)
    best = dict.fromkeys(range(40), -math.inf)
    for number, progress, score, decision in ours:
        best[number] = max(best[number], score)
        told = theirs.on_trial_result(None, runs[number], {"at": progress, "score": best[number]})
        assert (decision == Stop()) == (told == "STOP")
    assert 5 < sum(decision == Stop() for *_, decision in ours) < 40


def test_stopping_by_hand() -> None:
    scheduler = AshaSection(reduction_factor=2).build(max_epochs=3)  # rungs at 1 and 2
    assert decisions_on(
        scheduler,
        [(1, 1, 0.5), (2, 1, 0.4), (3, 1, 0.45), (4, 1, 0.44), (1, 2, 0.3), (3, 2, 0.49)],
    ) == [
        GoOn(),  # the first
        Stop(),  # below 0.5
        GoOn(),  # the median of 0.4 and 0.5
        Stop(),  # below 0.45
        GoOn(),  # the first, with 0.5
        Stop(),  # below 0.5, though above the 0.3 of the same epoch
    ]


def promoting(max_epochs: int = 9) -> PromotingAsha:
    scheduler = AshaSection(form="promoting").build(max_epochs)
    assert isinstance(scheduler, PromotingAsha)
    return scheduler


def test_promoting_by_hand() -> None:
    scheduler = promoting()  # rungs at 1 and 3
    values = {1: 0.1, 2: 0.5, 3: 0.3}
    for number, value in values.items():
        assert scheduler.next_paused() is None
        assert decisions_on(scheduler, [(number, 1, value)]) == [Pause()]
    # A third of three.
    assert [scheduler.next_paused(), scheduler.next_paused()] == ["0002", None]
    assert decisions_on(scheduler, [(2, 2, 0.6), (2, 3, 0.6)]) == [GoOn(), Pause()]
    # One of five; of six two, the better of whom went on already.
    assert decisions_on(scheduler, [(4, 1, 0.2), (5, 1, 0.25)]) == [Pause()] * 2
    assert scheduler.next_paused() is None
    assert decisions_on(scheduler, [(6, 1, 0.05)]) == [Pause()]
    assert [scheduler.next_paused(), scheduler.next_paused()] == ["0003", None]
    # Three on the upper rung, of whom the best goes on to its end before any of the lower one.
    decisions_on(scheduler, [(3, 3, 0.7), (7, 1, 0.4), (8, 1, 0.35), (9, 1, 0.33)])
    assert scheduler.next_paused() == "0007"
    decisions_on(scheduler, [(7, 3, 0.65), (10, 1, 0.9), (11, 1, 0.01), (12, 1, 0.02)])
    assert [scheduler.next_paused(), scheduler.next_paused()] == ["0003", "0010"]
    assert decisions_on(scheduler, [(3, 4, 0.7), (3, 9, 0.7)]) == [GoOn()] * 2


def algorithm_2(rungs: dict[int, dict[str, float]], promoted: dict[int, set[str]]) -> str | None:
    """The job that the paper's `get_job` returns, rungs from the highest to the lowest."""
    for k in sorted(rungs, reverse=True):
        candidates = sorted(rungs[k], key=lambda run_id: -rungs[k][run_id])[: len(rungs[k]) // 3]
        promotable = [one for one in candidates if one not in promoted[k]]
        if promotable:
            promoted[k].add(promotable[0])
            return promotable[0]
    return None


@pytest.mark.parametrize("seed", range(4))
def test_promoting_is_algorithm_2_of_the_paper(seed: int) -> None:
    draw, scheduler = random.Random(seed), promoting(max_epochs=27)  # rungs at 1, 3 and 9
    rungs: dict[int, dict[str, float]] = {1: {}, 3: {}, 9: {}}
    promoted: dict[int, set[str]] = {1: set(), 3: set(), 9: set()}
    running: dict[str, int] = {}
    drawn, jobs = 0, []
    while drawn < 150:
        while len(running) < 4:
            expected = algorithm_2(rungs, promoted)
            assert scheduler.next_paused() == expected
            jobs.append(expected)
            if expected is None:
                drawn += 1
                running[run_id_of(drawn)] = 1
            else:
                running[expected] = next(k for k in (27, 9, 3) if expected in rungs[k // 3])
        run_id = draw.choice(sorted(running))
        level = running.pop(run_id)
        value = draw.random() + level
        decision = scheduler.decide(run_id, report_at(level, value))
        assert decision == (GoOn() if level == 27 else Pause())
        if level < 27:
            rungs[level][run_id] = value
    assert len(promoted[9]) >= 3


def test_when_nothing_is_left_the_best_of_each_rung_goes_on_all_the_same() -> None:
    scheduler = promoting()  # rungs at 1 and 3
    decisions_on(scheduler, [(1, 1, 0.5), (2, 1, 0.4)])
    assert scheduler.next_paused() is None
    assert [scheduler.last_paused(), scheduler.last_paused()] == ["0001", None]
    assert decisions_on(scheduler, [(1, 3, 0.6)]) == [Pause()]
    assert [scheduler.next_paused(), scheduler.last_paused()] == [None, "0001"]
    # One that is not the best where it stands is not trained further.
    decisions_on(scheduler, [(1, 9, 0.6), (3, 3, 0.55)])
    assert scheduler.last_paused() is None


def test_who_is_gone_is_not_promoted_but_still_compared_with() -> None:
    scheduler = promoting()
    decisions_on(scheduler, [(1, 1, 0.5), (2, 1, 0.4), (3, 1, 0.3)])
    scheduler.forget("0001")
    assert scheduler.next_paused() is None
    decisions_on(scheduler, [(4, 1, 0.1), (5, 1, 0.1), (6, 1, 0.1)])
    assert scheduler.next_paused() == "0002"


def test_a_report_that_comes_twice_leaves_a_run_paused() -> None:
    scheduler = promoting()
    decisions_on(scheduler, [(1, 1, 0.5), (1, 1, 0.5), (2, 1, 0.4), (3, 1, 0.3), (3, 1, 0.3)])
    assert [scheduler.next_paused(), scheduler.next_paused()] == ["0001", None]


def test_one_that_is_known_to_have_gone_on_waits_no_more() -> None:
    """As after a restart, when nobody asked for it in this session."""
    scheduler = promoting()
    decisions_on(scheduler, [(1, 1, 0.5), (2, 1, 0.4), (3, 1, 0.3), (1, 2, 0.5)])
    assert scheduler.next_paused() is scheduler.last_paused() is None


def test_of_equals_the_first_trial_goes_on() -> None:
    scheduler = promoting()
    decisions_on(scheduler, [(number, 1, 0.5) for number in (10_000, 9_999, 12, 11, 7, 8)])
    assert [scheduler.next_paused(), scheduler.next_paused()] == ["0007", "0008"]


@pytest.mark.parametrize("seed", range(4))
def test_the_order_in_which_reports_are_replayed_does_not_matter(seed: int) -> None:
    """Each run's own order aside: what follows is the same, but for who was promoted just now."""
    reports = [one for one in random_reports(seed, runs=30, steps=[1.0]) if one[1] < 9]
    by_run = sorted(reports, key=lambda one: one[0])
    first, second = promoting(), promoting()
    decisions_on(first, reports)
    decisions_on(second, by_run)
    followers = [(number, 1.0, 0.02 * number) for number in range(40, 60)]
    for follower in followers:
        assert first.next_paused() == second.next_paused()
        assert decisions_on(first, [follower]) == decisions_on(second, [follower])
