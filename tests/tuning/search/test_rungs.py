import random

import pytest
from curves import report_at
from trials import report

from tuning.search.schedulers.rungs import Rungs, rung_levels


@pytest.mark.parametrize(
    ("grace", "factor", "max_epochs", "levels"),
    [
        (1, 3, 9, [1, 3]),
        (1, 3, 10, [1, 3, 9]),
        (0.1, 3, 3, [0.1, 0.3, 0.9, 2.7]),
        (2, 3, 2, []),
        (5, 3, 3, []),
        # 0.29 * 10^2 is 28.999999999999996, and yet the end.
        (0.29, 10, 29, [0.29, 2.9]),
        (1, 1.5, 4, [1, 1.5, 2.25, 3.375]),
    ],
)
def test_rungs_lie_a_factor_apart_below_the_end(
    grace: float, factor: float, max_epochs: float, levels: list[float]
) -> None:
    assert rung_levels(grace, factor, max_epochs) == pytest.approx(tuple(levels))


def test_a_run_stands_on_a_rung_with_its_best_up_to_there() -> None:
    rungs = Rungs((1, 3))
    placed = [
        rungs.place("0001", report_at(progress, score))
        for progress, score in [(0.5, 0.7), (1, 0.6), (2, 0.9), (3, 0.8), (4, 0.95)]
    ]
    assert placed == [None, 0, None, 1, None]
    assert [rungs[rung]["0001"].combined for rung in range(2)] == [0.7, 0.9]


def test_a_report_beyond_several_rungs_stands_on_the_highest() -> None:
    rungs = Rungs((0.1, 0.3, 0.9, 2.7))
    assert rungs.place("0001", report_at(1, 0.5)) == 2
    assert [len(rungs[rung]) for rung in range(4)] == [0, 0, 1, 0]
    assert rungs.place("0001", report_at(2, 0.6)) is None
    assert rungs.place("0001", report_at(3, 0.6)) == 3


def test_the_sum_of_tenths_reaches_its_rung() -> None:
    rungs = Rungs((0.3, 0.9))
    assert 3 * 0.1 > 0.3 > 0.1 + 0.1 + 0.1 - 1e-9
    assert rungs.place("0001", report_at(0.3 - 1e-12, 0.5)) == 0
    assert rungs.place("0002", report_at(3 * 0.1, 0.5)) == 0
    assert rungs.place("0003", report_at(0.29, 0.5)) is None


def test_what_is_repeated_changes_nothing() -> None:
    rungs = Rungs((1, 3))
    for _ in range(2):
        for epoch in (1, 2, 3):
            rungs.place("0001", report_at(epoch, 0.1 * epoch))
    assert rungs.place("0001", report_at(1, 0.9)) is None
    assert [rungs[rung]["0001"].combined for rung in range(2)] == pytest.approx([0.1, 0.3])


def test_the_order_of_runs_does_not_matter() -> None:
    draw = random.Random(0)
    curves = {
        f"{number:04d}": [report_at(0.1 * n, draw.random()) for n in range(1, 40)]
        for number in range(9)
    }
    by_run, mixed = Rungs((0.1, 0.3, 0.9, 2.7)), Rungs((0.1, 0.3, 0.9, 2.7))
    for run_id, reports in curves.items():
        for one in reports:
            by_run.place(run_id, one)
    left = {run_id: list(reports) for run_id, reports in curves.items()}
    while left:
        run_id = draw.choice(sorted(left))
        mixed.place(run_id, left[run_id].pop(0))
        if not left[run_id]:
            del left[run_id]
    assert [by_run[rung] for rung in range(4)] == [mixed[rung] for rung in range(4)]


def test_scores_on_a_sample_of_dev_do_not_stand_beside_those_on_all_of_it() -> None:
    rungs = Rungs((0.5, 1.0))
    # Flattered by a few rows.
    assert rungs.place("a", report(1, 0.9, per_epoch=2, is_sample=True)) == 0
    assert rungs.place("a", report(2, 0.5, per_epoch=2)) == 1
    assert [standing["a"].combined for standing in (rungs[0], rungs[1])] == [0.9, 0.5]
