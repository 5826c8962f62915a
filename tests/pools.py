"""A pool with jobs in it, for tests."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

from trials import report

from tuning.records import run_id_of
from tuning.trainers.messages import Reported, ScoreJob, TrainJob, TrialSpec
from tuning.trainers.pool import TrialPool

GOES_ON = Reported(report(1, 0.5), is_last=False)
LAST = Reported(report(1, 0.5), is_last=True)


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, timeout=120))


def spec(number: int) -> TrialSpec:
    return TrialSpec(run_id_of(number), {"seed": number}, Path("checkpoint"))


def job(number: int) -> TrainJob:
    return TrainJob(spec(number))


def score_job(number: int) -> ScoreJob:
    return ScoreJob(spec(number), export=None, dev={})


async def started_pool(*, max_attempts: int = 2, jobs: int = 1, trainers: int = 2) -> TrialPool:
    """A pool with trainer 0 inside and some jobs queued."""
    pool = TrialPool(max_attempts=max_attempts, trainers=trainers)
    await pool.enter(0)
    for number in range(jobs):
        await pool.submit(job(number))
    return pool


async def idle() -> None:
    """Lets every other task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
