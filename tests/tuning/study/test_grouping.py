"""The best groups of tasks: against all partitions written out, and by hand."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pytest
from scipy import stats

from tuning.study.grouping import MOST_TASKS, best_grouping

Affinities = dict[tuple[str, str], float]


def partitions(tasks: Sequence[str]) -> Iterator[list[list[str]]]:
    """All partitions, of any number of groups: each task joins a group or opens one."""
    if not tasks:
        yield []
        return
    for smaller in partitions(tasks[1:]):
        yield [[tasks[0]], *smaller]
        for number, group in enumerate(smaller):
            yield [*smaller[:number], [tasks[0], *group], *smaller[number + 1 :]]


def worth(groups: Sequence[Sequence[str]], affinities: Affinities) -> float:
    """The mean over the tasks of what they get from the others of their group, on average."""
    gains = [
        np.mean([affinities[other, task] for other in group if other != task] or [0.0])
        for group in groups
        for task in group
    ]
    return float(np.mean(gains))


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_the_groups_are_the_best_of_all_partitions(count: int) -> None:
    tasks, generator = [f"task{n}" for n in range(count)], np.random.default_rng(count)
    for _ in range(5):
        runs = [
            {pair: float(generator.normal()) for pair in product(tasks, tasks)} for _ in range(3)
        ]
        mean = {pair: float(np.mean([run[pair] for run in runs])) for pair in runs[0]}
        few = [groups for groups in partitions(tasks) if len(groups) <= 3]
        expected = max(few, key=lambda groups: worth(groups, mean))
        found = best_grouping(tasks, runs)
        assert found is not None
        assert set(found.groups) == {tuple(sorted(group)) for group in expected}
        assert found.gain == pytest.approx(worth(expected, mean))
        assert found.together == pytest.approx(worth([tasks], mean))
        assert found.sure is None


def both(there: float, back: float) -> Affinities:
    return {("a", "b"): there, ("b", "a"): back, ("a", "a"): 9.0, ("b", "b"): 9.0}


def test_two_tasks_stay_together_while_they_help_more_than_they_hurt() -> None:
    helping, hurting = (best_grouping(["a", "b"], [both(0.03, back)]) for back in (-0.02, -0.04))
    assert helping is not None
    assert hurting is not None
    assert (helping.groups, hurting.groups) == ((("a", "b"),), (("a",), ("b",)))
    assert helping.gain == helping.together == pytest.approx(0.005)
    assert hurting.gain == 0.0
    # What neither helps nor hurts is not taken apart.
    nothing = best_grouping(["a", "b"], [both(0.0, 0.0)])
    assert nothing is not None
    assert nothing.groups == (("a", "b"),)


def test_how_sure_groups_are_is_how_often_draws_of_the_runs_agree() -> None:
    # Of six runs one is against the others: it wins where it is drawn five times of six or more.
    runs = [both(0.01, 0.0)] * 5 + [both(-0.03, 0.0)]
    found = best_grouping(["a", "b"], runs)
    assert found is not None
    assert found.groups == (("a", "b"),)
    # Drawn k of 6 times, the mean is (6 - k) - 3 k, which is below 0 from k = 2 on.
    others = sum(_binomial(6, k) * (1 / 6) ** k * (5 / 6) ** (6 - k) for k in (0, 1))
    assert found.sure == pytest.approx(others, abs=0.05)
    assert best_grouping(["a", "b"], runs) == found
    sure = best_grouping(["a", "b"], [both(0.01, 0.0)] * 5)
    assert sure is not None
    assert sure.sure == 1.0


def test_how_much_better_groups_are_is_told_by_runs_that_did_not_choose_them() -> None:
    # All runs choose to part: 0 minus what each has together, (there + back) / 2.
    runs = [both(0.01, back) for back in (-0.03, -0.05, -0.04)]
    found = best_grouping(["a", "b"], runs)
    assert found is not None
    plain = stats.ttest_1samp([0.01, 0.02, 0.015], 0).confidence_interval()
    assert found.better.mean == pytest.approx(0.015)
    assert (found.better.low, found.better.high) == pytest.approx((plain.low, plain.high))
    assert found.better.claim == "better"
    # The first and the third choose to part, and the second loses by it what it has together; the
    # second chooses to stay together, which changes nothing for the two.
    runs = [both(0.01, 0.01), both(0.01, 0.01), both(-0.05, -0.05)]
    found = best_grouping(["a", "b"], runs)
    assert found is not None
    assert found.groups == (("a",), ("b",))
    assert found.better.mean == pytest.approx(-0.01 / 3)
    assert found.better.claim == "cannot be told"
    one = best_grouping(["a", "b"], runs[2:])
    assert one is not None
    assert np.isnan(one.better.low)
    assert one.better.claim == "cannot be told"


def test_together_is_compared_with_each_alone() -> None:
    found = best_grouping(["a", "b"], [both(0.01, 0.03), both(0.02, 0.04)])
    assert found is not None
    assert found.groups == (("a", "b"),)
    assert (found.better.mean, found.better.count) == (pytest.approx(0.025), 2)


def test_of_noise_a_hint_is_rare() -> None:
    generator, tasks = np.random.default_rng(0), ["a", "b", "c", "d"]
    hints = 0
    for _ in range(200):
        runs = [
            {pair: float(generator.normal()) for pair in product(tasks, tasks)} for _ in range(8)
        ]
        found = best_grouping(tasks, runs)
        hints += found is not None and found.better.claim == "better"
    # One in twenty: one in forty for groups, and one for all together; 200 studies tell it to
    # +- 4.6 %.
    assert hints / 200 < 0.096


def _binomial(n: int, k: int) -> int:
    return int(np.prod(range(n - k + 1, n + 1)) / np.prod(range(1, k + 1)))


def test_nothing_is_said_where_a_pair_was_not_seen_or_tasks_are_too_many() -> None:
    missing = both(0.1, 0.1)
    del missing["a", "b"]
    assert best_grouping(["a", "b"], [missing]) is None
    whole = best_grouping(["a", "b"], [missing, both(0.1, 0.3)])
    assert whole is not None
    assert whole.gain == pytest.approx(0.2)
    tasks = [str(number) for number in range(MOST_TASKS + 1)]
    assert best_grouping(tasks, [dict.fromkeys(product(tasks, tasks), 0.1)]) is None
    assert best_grouping(tasks[1:], [dict.fromkeys(product(tasks, tasks), 0.1)]) is not None
