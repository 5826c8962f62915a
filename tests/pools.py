"""A pool with jobs in it, for tests; also one in a thread, with trainers, in the place of Ray."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trials import report

from tuning.records import run_id_of
from tuning.trainers.decisions import Stop
from tuning.trainers.messages import Job, Message, Reported, ScoreJob, TrainJob, TrialSpec
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


async def started_pool(
    *, max_attempts: int = 2, jobs: int = 1, trainers: int = 2, **settings: Any
) -> TrialPool:
    """A pool with trainer 0 inside and some jobs queued."""
    pool = TrialPool(max_attempts=max_attempts, trainers=trainers, **settings)
    await pool.enter(0, "worker 1")
    for number in range(jobs):
        await pool.submit(job(number))
    return pool


async def idle() -> None:
    """Lets every other task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


class LocalPool:
    """Reaches a pool in a thread of this process, as `RemotePool` reaches the one of Ray."""

    def __init__(self, pool: TrialPool, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = pool
        self.asked: list[tuple[str, int]] = []
        self.lost: set[tuple[str, int]] = set()
        """Messages whose answer is lost once."""
        self.loop = loop
        self._names: dict[Future[Message], tuple[str, int]] = {}

    def submit(self, job: Job) -> None:
        asyncio.run_coroutine_threadsafe(self.pool.submit(job), self.loop).result()

    def message(self, run_id: str, index: int) -> "Future[Message]":
        self.asked.append((run_id, index))
        asked = asyncio.run_coroutine_threadsafe(self.pool.message(run_id, index), self.loop)
        self._names[asked] = run_id, index
        return asked

    def answered(
        self, references: "Sequence[Future[Message]]", *, seconds: float
    ) -> "Sequence[Future[Message]]":
        first = concurrent.futures.FIRST_COMPLETED
        return list(concurrent.futures.wait(references, seconds, return_when=first).done)

    def read(self, reference: "Future[Message]") -> Message | None:
        name = self._names[reference]
        if name in self.lost:
            self.lost.remove(name)
            return None
        return reference.result()


@contextmanager
def local_pool(
    do: "Callable[[Job], Iterator[Message]]", *, trainers: int = 2
) -> "Iterator[LocalPool]":
    """A pool whose trainers send what `do` yields of a job, until they are told to stop."""

    async def train(pool: TrialPool, trainer: int) -> None:
        await pool.enter(trainer)
        while (job := await pool.take(trainer)) is not None:
            await pool.begin(trainer)
            for message in do(job):
                if await pool.report(trainer, message) == Stop():
                    break

    async def serve() -> None:
        pool = TrialPool(max_attempts=2, trainers=trainers)
        ready.set_result(LocalPool(pool, asyncio.get_running_loop()))
        await asyncio.gather(*(train(pool, number) for number in range(trainers)))

    ready: Future[LocalPool] = Future()
    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    local = ready.result(timeout=10)
    yield local
    asyncio.run_coroutine_threadsafe(local.pool.close(), local.loop).result(timeout=10)
    thread.join(timeout=10)
    assert not thread.is_alive()
