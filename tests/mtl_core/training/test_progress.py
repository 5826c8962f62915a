"""How far a run is: what the loop tells."""

import math

import pytest
from conftest import RunConfigFactory
from trials import at_work

from mtl_core.training.loop import train
from mtl_core.training.progress import Progress


def test_every_step_is_told_and_all_sentences_are_counted(run_config: RunConfigFactory) -> None:
    told: list[Progress] = []
    config = run_config({"training.epochs": 2, "training.batch_size": 16})
    reports = list(train(config, on_progress=told.append))
    steps = math.ceil(60 / 16)  # the corpus has 60 sentences
    assert reports[-1].step == 2 * steps
    expected = [
        (phase, epoch, step)
        for epoch in (1, 2)
        for phase, step in [
            ("preparing", 0),
            *(("training", step) for step in range(steps + 1)),
            ("scoring", steps),
        ]
    ]
    assert [(one.phase, one.epoch, one.step) for one in told] == expected
    assert [one.sentences for one in told if one.phase == "scoring"] == [60, 60]
    assert told[-1].share == 1.0
    clocks = [one.seconds for one in told if one.epoch == 1 and one.phase != "preparing"]
    assert clocks == sorted(clocks)


def test_listening_changes_no_number(run_config: RunConfigFactory) -> None:
    config = run_config()
    heard = [report.losses for report in train(config, on_progress=lambda _: None)]
    assert heard == [report.losses for report in train(config)]


def test_speed_and_share_by_hand() -> None:
    progress = at_work(0, epoch=2, step=5, seconds=0.5).progress
    assert progress is not None
    assert progress.share == pytest.approx((1 + 5 / 20) / 3)
    assert progress.sentences_per_second == 100
    assert progress.epoch_seconds == 2
    before = at_work(0, epoch=2, step=0, seconds=0.5).progress
    assert before is not None
    assert (before.sentences_per_second, before.epoch_seconds) == (None, None)
