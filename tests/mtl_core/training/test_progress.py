"""How far a run is: what the loop tells, and what of it reaches the driver."""

import math
from types import SimpleNamespace

import pytest
from conftest import RunConfigFactory
from pools import LAST, job, run, score_job, started_pool
from trials import at_work

from mtl_core.training.loop import train
from mtl_core.training.progress import Phase, Progress
from tuning.trainers.messages import TrainerStatus
from tuning.trainers.worker import _Worker


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


def test_the_pool_knows_what_each_trainer_does() -> None:
    status = at_work(0, epoch=1, step=5, seconds=1.0)
    progress = status.progress
    assert progress is not None

    async def scenario() -> None:
        pool = await started_pool(jobs=1)
        assert await pool.statuses() == [TrainerStatus(True), TrainerStatus(False)]
        await pool.take(0)
        assert await pool.statuses() == [TrainerStatus(True, job=0), TrainerStatus(False)]
        await pool.begin(0)
        await pool.progress(0, progress)
        assert (await pool.statuses())[0] == status
        await pool.report(0, LAST)
        await pool.submit(score_job(1))
        await pool.take(0)
        # of another job: what the last one told is over
        assert (await pool.statuses())[0] == TrainerStatus(True, job=1)

    run(scenario())


def test_a_trainer_that_died_does_nothing() -> None:
    progress = at_work(0, epoch=1, step=5, seconds=1.0).progress
    assert progress is not None

    async def scenario() -> None:
        pool = await started_pool(jobs=1)
        await pool.take(0)
        await pool.begin(0)
        await pool.progress(0, progress)
        await pool.enter(0)
        assert (await pool.statuses())[0] == TrainerStatus(True)
        # what the dead worker had still sent
        await pool.progress(0, progress)
        assert (await pool.statuses())[0] == TrainerStatus(True)
        assert await pool.take(0) == job(0)

    run(scenario())


def test_a_worker_tells_every_change_of_phase_and_little_else() -> None:
    told: list[tuple[str, int]] = []
    pool = SimpleNamespace(
        progress=SimpleNamespace(remote=lambda _, one: told.append((one.phase, one.step)))
    )
    worker = SimpleNamespace(told=0.0, phase="", pool=pool, settings=SimpleNamespace(trainer=0))
    phases: list[Phase] = ["preparing", "training", "training", "training", "scoring"]
    for step, phase in enumerate(phases):
        progress = at_work(0, epoch=1, step=step, seconds=1.0, phase=phase).progress
        _Worker._tell(worker, progress)  # type: ignore[arg-type]
    assert told == [("preparing", 0), ("training", 1), ("scoring", 4)]
