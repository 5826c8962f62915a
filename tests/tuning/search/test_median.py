"""The median stopping rule against Ray's."""

import random
from types import SimpleNamespace

import pytest
from curves import decisions_on, random_reports, without_stopped
from ray.tune.schedulers import MedianStoppingRule

from tuning.search.schedulers.median import MedianSection, MedianStopping
from tuning.trainers.decisions import GoOn, Stop


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("grace", "steps"), [(1, [1.0]), (2, [0.5]), (0.25, [0.25, 1.0])])
def test_stops_whom_rays_stops(seed: int, grace: float, steps: list[float]) -> None:
    ours = without_stopped(MedianStopping(grace, 3), random_reports(seed, runs=20, steps=steps))
    theirs = MedianStoppingRule(
        time_attr="at", metric="score", mode="max", grace_period=grace, min_samples_required=3
    )
    nobody = SimpleNamespace(get_live_trials=list)
    for number, progress, score, decision in ours:
        run = str(number)
        told = theirs.on_trial_result(nobody, _Run(run), {"at": progress, "score": score})
        assert (decision == Stop()) == (told == "STOP")
    assert 2 < sum(decision == Stop() for *_, decision in ours) < 20


class _Run(str):
    """A key, as Ray's rule uses trials, with the id that it logs."""

    @property
    def trial_id(self) -> str:
        return str(self)


def test_by_hand() -> None:
    scheduler = MedianSection(min_samples=2).build(max_epochs=9)
    assert decisions_on(scheduler, [(1, 1, 0.2), (1, 2, 0.6), (2, 1, 0.4), (2, 2, 0.5)]) == (
        [GoOn()] * 4  # Two others are needed.
    )
    # The averages after two epochs are 0.4 and 0.45; after the first epoch 0.2 and 0.4.
    assert decisions_on(scheduler, [(3, 1, 0.29), (4, 1, 0.3), (4, 2, 0.1)]) == [
        Stop(), GoOn(), Stop(),
    ]  # fmt: skip
    assert decisions_on(scheduler, [(5, 1, 0.44), (5, 2, 0.0)]) == [GoOn(), GoOn()]


def test_one_repeats_itself_without_a_difference() -> None:
    draw = random.Random(0)
    reports = random_reports(1, runs=10, steps=[1.0])
    once, twice = MedianStopping(1, 3), MedianStopping(1, 3)
    for one in reports:
        assert decisions_on(twice, [one]) == decisions_on(once, [one])
        assert decisions_on(twice, [one] * draw.randint(0, 2)).count(Stop()) == 0
