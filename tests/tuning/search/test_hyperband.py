"""HyperBand: its brackets against the table of the paper, and each against ASHA alone."""

from collections import Counter

import pytest
from curves import decisions_on, random_reports

from tuning.records import run_id_of
from tuning.search.schedulers.asha import AshaSection, Form
from tuning.search.schedulers.hyperband import HyperbandSection, bracket_sizes, deal
from tuning.trainers.decisions import GoOn, Pause, Stop


def test_sizes_are_those_of_the_paper() -> None:
    # Li et al. (2018), table 1: R = 81 and factor 3, s = 4, 3, 2, 1, 0.
    assert bracket_sizes(5, 3) == [81, 34, 15, 8, 5]
    assert bracket_sizes(3, 3) == [9, 5, 3]
    assert bracket_sizes(3, 4) == [16, 6, 3]
    assert bracket_sizes(1, 3) == [1]


@pytest.mark.parametrize("sizes", [[81, 34, 15, 8, 5], [9, 5, 3], [16, 6, 3], [1, 1], [1]])
def test_at_any_time_each_bracket_has_its_share(sizes: list[int]) -> None:
    dealt = deal(sizes, 2 * sum(sizes))
    for count in range(1, len(dealt) + 1):
        found = Counter(dealt[:count])
        for bracket, size in enumerate(sizes):
            assert abs(found[bracket] - count * size / sum(sizes)) < 1
    assert Counter(dealt) == {bracket: 2 * size for bracket, size in enumerate(sizes)}


def test_the_first_trials_by_hand() -> None:
    # Shares of 9, 5 and 3 in 17.
    assert deal([9, 5, 3], 9) == [0, 1, 0, 2, 0, 1, 0, 2, 0]


@pytest.mark.parametrize("form", ["stopping", "promoting"])
def test_each_bracket_is_an_asha_with_a_later_grace_period(form: Form) -> None:
    scheduler = HyperbandSection(form=form).build(max_epochs=9)
    alone = [AshaSection(form=form, grace_epochs=grace).build(9) for grace in (1, 3, 9)]
    bracket_of = deal([9, 5, 3], 30)
    for number in range(30):
        scheduler.begin(run_id_of(number))
    found = set()
    for told in random_reports(0, runs=30, steps=[1.0]):
        [decision] = decisions_on(alone[bracket_of[told[0]]], [told])
        assert decisions_on(scheduler, [told]) == [decision]
        found.add(decision)
    assert found == {GoOn(), Stop() if form == "stopping" else Pause()}
    named = [list(iter(one.next_paused, None)) for one in alone]
    assert list(iter(scheduler.next_paused, None)) == [run_id for one in named for run_id in one]
    last = [list(iter(one.last_paused, None)) for one in alone]
    assert list(iter(scheduler.last_paused, None)) == [run_id for one in last for run_id in one]


@pytest.mark.parametrize(("max_epochs", "brackets"), [(2, 1), (3, 2), (9, 3), (10, 3), (27, 4)])
def test_there_are_as_many_brackets_as_rungs_fit(max_epochs: int, brackets: int) -> None:
    scheduler = HyperbandSection().build(max_epochs)
    assert scheduler.describe().count("|") == brackets - 1
