"""How far a run is: what of it reaches the driver."""

from types import SimpleNamespace

from pools import LAST, job, run, score_job, started_pool
from trials import at_work

from mtl_core.training.progress import Phase
from tuning.trainers.messages import TrainerStatus
from tuning.trainers.worker import _Worker


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
