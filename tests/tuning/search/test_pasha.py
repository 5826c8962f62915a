"""PASHA: what the paper says of rankings, noise and the top rung, worked by hand."""

import itertools
import random

import numpy as np
import pytest
from curves import decisions_on, played

from tuning.search.schedulers.pasha import Pasha, PashaSection, noise_of, same_ranking
from tuning.trainers.decisions import GoOn, Pause


@pytest.mark.parametrize(
    ("below", "above", "noise", "is_same"),
    [
        ({}, {}, 0, True),
        ({"a": 0.5}, {"a": 0.1}, 0, True),
        ({"a": 0.5, "b": 0.4}, {"a": 0.7, "b": 0.6}, 0, True),
        ({"a": 0.5, "b": 0.4}, {"a": 0.6, "b": 0.7}, 0, False),
        # Who changed places were no further apart than the noise.
        ({"a": 0.5, "b": 0.45}, {"a": 0.6, "b": 0.7}, 0.05, True),
        ({"a": 0.5, "b": 0.44}, {"a": 0.6, "b": 0.7}, 0.05, False),
        # Each of three fell within 0.1 of the one whose place it has, though first and last are
        # further apart; with the last one first that is no longer so.
        ({"a": 0.5, "b": 0.42, "c": 0.34}, {"a": 0.8, "b": 0.9, "c": 0.7}, 0.1, True),
        ({"a": 0.5, "b": 0.42, "c": 0.34}, {"a": 0.8, "b": 0.7, "c": 0.9}, 0.1, False),
        # Those who did not come to the upper rung do not count.
        ({"a": 0.5, "b": 0.9, "c": 0.4}, {"a": 0.7, "c": 0.6}, 0, True),
        # Equals have no order.
        ({"a": 0.5, "b": 0.5}, {"a": 0.6, "b": 0.7}, 0, True),
        ({"a": 0.5, "b": 0.4}, {"a": 0.7, "b": 0.7}, 0, True),
    ],
)
def test_soft_ranking(
    below: dict[str, float], above: dict[str, float], noise: float, is_same: bool
) -> None:
    assert same_ranking(above, below, noise + 1e-12) == is_same


def by_groups(above: dict[str, float], below: dict[str, float], noise: float) -> bool:
    """Section 4.1 as it is told: a list of sets of equivalent runs, one for each place."""
    places = sorted(below, key=lambda one: -below[one])
    groups = [{other for other in places if abs(below[one] - below[other]) <= noise}
              for one in places]  # fmt: skip
    top = sorted(above, key=lambda one: -above[one])
    return all(one in group for one, group in zip(top, groups, strict=True))


def test_soft_ranking_is_that_of_the_paper() -> None:
    draw = random.Random(0)
    found = []
    for _ in range(500):
        below = {str(one): draw.random() for one in range(draw.randint(1, 5))}
        above = {one: value + draw.uniform(-0.2, 0.2) for one, value in below.items()}
        noise = draw.uniform(0, 0.1)
        found.append(same_ranking(above, below, noise))
        assert found[-1] == by_groups(above, below, noise)
    assert 100 < sum(found) < 400


def curve(*scores: float) -> dict[float, float]:
    return {float(epoch): score for epoch, score in enumerate(scores, start=1)}


@pytest.mark.parametrize(
    ("scores", "others", "noise"),
    [
        # Ahead, behind, ahead again: 0.1 apart in the end.
        ((0.3, 0.4, 0.7), (0.2, 0.5, 0.6), 0.1),
        # Overtaken once, which is no noise.
        ((0.3, 0.4, 0.7), (0.4, 0.5, 0.6), None),
        ((0.3, 0.5, 0.7), (0.2, 0.4, 0.6), None),
        # Equal in between is no change.
        ((0.3, 0.5, 0.7), (0.2, 0.5, 0.6), None),
        # Of the longer curve counts what both have.
        ((0.3, 0.4, 0.7, 0.1), (0.2, 0.5, 0.6), 0.1),
    ],
)
def test_noise_is_how_far_apart_curves_are_that_cross_back(
    scores: tuple[float, ...], others: tuple[float, ...], noise: float | None
) -> None:
    found = noise_of([curve(*scores), curve(*others)], start=1)
    assert found == (noise if noise is None else pytest.approx(noise))
    assert noise_of([curve(*others), curve(*scores)], start=1) == found


def test_curves_count_as_noise_only_if_they_were_seen_beyond_the_rung_below() -> None:
    curves = [curve(0.3, 0.4, 0.7), curve(0.2, 0.5, 0.6)]
    assert noise_of(curves, start=2.9) == pytest.approx(0.1)
    assert noise_of(curves, start=3) is None


def test_of_many_pairs_it_is_the_90th_percentile_of_the_definition() -> None:
    draw = random.Random(0)
    curves = [curve(*(draw.random() for _ in range(5))) for _ in range(8)]

    def crosses(one: dict[float, float], other: dict[float, float]) -> bool:
        """Equation 1 of the paper: r_l < r_k < r_j, the order at r_k the other way."""
        gaps = [one[at] - other[at] for at in sorted(one)]
        return any(
            gaps[low] * gaps[-1] > 0 > gaps[middle] * gaps[-1]
            for low, middle in itertools.combinations(range(len(gaps) - 1), 2)
        )

    pairs = itertools.combinations(curves, 2)
    distances = [abs(one[5] - other[5]) for one, other in pairs if crosses(one, other)]
    assert 5 < len(distances) < 28
    assert noise_of(curves, start=3) == pytest.approx(np.percentile(distances, 90))


def pasha(max_epochs: int = 81) -> Pasha:
    scheduler = PashaSection().build(max_epochs)
    assert isinstance(scheduler, Pasha)
    return scheduler


def test_the_top_rung_rises_when_its_ranking_is_another() -> None:
    scheduler = pasha()  # rungs at 1, 3, 9 and 27
    first = [(number, 1.0, 0.1 * number) for number in range(1, 10)]
    assert decisions_on(scheduler, first) == [Pause()] * 9
    assert [scheduler.next_paused() for _ in range(4)] == ["0009", "0008", "0007", None]
    # Three on the second rung, ranked as on the first: nobody goes beyond.
    assert decisions_on(scheduler, [(9, 3, 0.95), (8, 3, 0.9), (7, 3, 0.85)]) == [Pause()] * 3
    assert scheduler.next_paused() is None
    # Another one overtakes those that were before it.
    decisions_on(scheduler, [(10, 1, 0.65), (11, 1, 0.1), (12, 1, 0.1)])
    assert scheduler.next_paused() == "0010"
    decisions_on(scheduler, [(10, 3, 0.99)])
    assert [scheduler.next_paused(), scheduler.next_paused()] == ["0010", None]
    # One alone on the third rung, and two ranked as before: it stays there.
    assert decisions_on(scheduler, [(10, 4, 0.99), (10, 9, 1.0)]) == [GoOn(), Pause()]
    assert scheduler.next_paused() is None


def test_a_change_within_the_noise_of_the_curves_raises_nothing() -> None:
    quiet, noisy = pasha(), pasha()
    first = [(number, 1.0, score) for number, score in enumerate((0.5, 0.48, 0.1, 0.1, 0.1, 0.1))]
    third = [(0, 3.0, 0.6), (1, 3.0, 0.65)]
    for scheduler, second in (
        (quiet, []),
        # Between the rungs they change places back and forth, by 0.05 in the end.
        (noisy, [(0, 1.5, 0.40), (1, 1.5, 0.45), (0, 2.0, 0.5), (1, 2.0, 0.45)]),
    ):
        decisions_on(scheduler, first)
        assert [scheduler.next_paused(), scheduler.next_paused()] == ["0000", "0001"]
        decisions_on(scheduler, second + third)
        for number in range(6, 9):
            decisions_on(scheduler, [(number, 1.0, 0.47)])
        assert scheduler.next_paused() == "0006"
        decisions_on(scheduler, [(6, 3, 0.3)])
    assert quiet.next_paused() == "0001"
    assert noisy.next_paused() is None


def test_where_curves_do_not_cross_nobody_trains_beyond_the_second_rung() -> None:
    steady = [{float(n): 0.01 * run + 0.001 * n for n in range(1, 82)} for run in range(40)]
    random.Random(0).shuffle(steady)
    told = played(pasha(), steady, trainers=4)
    # The best one does, after all others have had their chance.
    further = [number for number, at, _ in told if at > 3]
    assert set(further) == {max(range(40), key=lambda number: steady[number][1.0])}
    assert further == [number for number, *_ in told][-len(further) :]
    # Where those that begin badly end well, it is found out.
    late = [{float(n): 0.5 - 0.01 * run * (1 if n < 3 else -1) for n in range(1, 82)}
            for run in reversed(range(40))]  # fmt: skip
    told = played(pasha(), late, trainers=4)
    assert len({number for number, at, _ in told if at > 3}) > 1
