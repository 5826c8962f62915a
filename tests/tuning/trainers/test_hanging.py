"""Workers that hang: when the pool ends one, and what becomes of its job."""

import asyncio
import time

import pytest
from pools import GOES_ON, LAST, idle, job, run, score_job, started_pool
from ray.exceptions import ActorDiedError, ActorUnavailableError

from tuning.trainers import hanging
from tuning.trainers.decisions import GoOn, Stop
from tuning.trainers.hanging import Alarm, end_worker
from tuning.trainers.messages import Failed
from tuning.trainers.pool import TrialPool

_SECONDS = 0.2
_TIMEOUTS = {"report_timeout_s": _SECONDS, "trial_timeout_s": 60.0, "another": None}
_HUNG = Failed("no report for 0.2 s (study.report_timeout_s); its worker was replaced")


class Ending:
    """Ends no worker, and keeps which were to be ended."""

    def __init__(self, *, are_there: bool = True) -> None:
        self.ended: list[object] = []
        self._are_there = are_there

    async def __call__(self, worker: object) -> bool:
        self.ended.append(worker)
        return self._are_there


async def hanging_pool(ending: Ending, **settings: int) -> TrialPool:
    return await started_pool(timeouts=_TIMEOUTS, end_worker=ending, **settings)


@pytest.mark.parametrize("reports", [0, 1])
def test_a_trial_that_hangs_fails_and_its_worker_is_ended(reports: int) -> None:
    ending = Ending()

    async def scenario() -> None:
        pool = await hanging_pool(ending, jobs=2)
        await pool.take(0)
        await pool.begin(0)
        for index in range(reports):
            reporting = asyncio.create_task(pool.report(0, GOES_ON))
            await pool.message("0000", index)
            hanging = asyncio.create_task(pool.message("0000", index + 1))
            assert await reporting == GoOn()
        if not reports:
            hanging = asyncio.create_task(pool.message("0000", 0))
        start = time.monotonic()
        assert await hanging == _HUNG
        assert time.monotonic() - start > _SECONDS / 2
        assert ending.ended == ["worker 1"]
        # Ray Train starts new workers, which go on with the next job.
        await pool.enter(0, "worker 2")
        assert (await pool.take(0)).spec.id == "0001"

    run(scenario())


def test_a_score_that_hangs_fails_too() -> None:
    ending = Ending()

    async def scenario() -> None:
        pool = await hanging_pool(ending, jobs=0)
        await pool.submit(score_job(3))
        await pool.take(0)
        await pool.begin(0)
        assert await pool.message("0003", 0) == _HUNG

    run(scenario())


def test_who_waits_does_not_hang() -> None:
    """Neither for a job nor for a decision, however long either takes."""
    ending = Ending()

    async def scenario() -> None:
        pool = await hanging_pool(ending, jobs=0)
        taking = asyncio.create_task(pool.take(0))
        await asyncio.sleep(2 * _SECONDS)
        await pool.submit(job(0))
        await taking
        await pool.begin(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        await pool.message("0000", 0)
        await asyncio.sleep(2 * _SECONDS)
        asking = asyncio.create_task(pool.message("0000", 1))
        assert await reporting == GoOn()
        await pool.report(0, LAST)
        assert await asking == LAST
        taking = asyncio.create_task(pool.take(0))
        await asyncio.sleep(2 * _SECONDS)
        await pool.close()
        assert await taking is None
        await asyncio.sleep(2 * _SECONDS)

    run(scenario())
    assert ending.ended == []


def test_a_job_that_a_hanging_worker_has_not_begun_is_not_to_blame() -> None:
    ending = Ending()

    async def scenario() -> None:
        pool = await hanging_pool(ending, max_attempts=1)
        await pool.take(0)  # Stopped before it had the answer, it will never begin.
        await asyncio.sleep(2 * _SECONDS)
        assert ending.ended == ["worker 1"]
        await pool.enter(0, "worker 2")
        assert (await pool.take(0)).spec.id == "0000"

    run(scenario())


def test_a_worker_that_hangs_between_two_jobs_is_ended() -> None:
    ending = Ending()

    async def scenario() -> None:
        pool = await hanging_pool(ending, jobs=2)
        await pool.take(0)
        await pool.begin(0)
        assert await pool.report(0, LAST) == Stop()
        await asyncio.sleep(2 * _SECONDS)
        assert ending.ended == ["worker 1"]
        assert await pool.message("0000", 0) == LAST

    run(scenario())


def test_a_worker_that_died_by_itself_does_not_fail_its_trial_by_hanging() -> None:
    ending = Ending(are_there=False)

    async def scenario() -> None:
        pool = await hanging_pool(ending)
        await pool.take(0)
        await pool.begin(0)
        asking = asyncio.create_task(pool.message("0000", 0))
        await asyncio.sleep(3 * _SECONDS)  # Until Ray Train has new ones.
        assert not asking.done()
        await pool.enter(0, "worker 2")
        assert (await pool.take(0)).spec.id == "0000"

    run(scenario())
    assert ending.ended == ["worker 1"]


def test_a_report_that_dead_workers_left_behind_wakes_no_alarm() -> None:
    ending = Ending()

    async def scenario() -> None:
        pool = await hanging_pool(ending)
        await pool.take(0)
        await pool.begin(0)
        left_behind = asyncio.create_task(pool.report(0, GOES_ON))
        await pool.message("0000", 0)
        await pool.enter(0, "worker 2")
        await pool.stop("0000", 1)
        await left_behind
        taking = asyncio.create_task(pool.take(0))
        await asyncio.sleep(2 * _SECONDS)
        assert not taking.done()
        await pool.close()
        await taking

    run(scenario())
    assert ending.ended == []


def test_without_a_limit_nothing_hangs() -> None:
    async def scenario() -> None:
        pool = await started_pool(end_worker=Ending())
        await pool.take(0)
        await pool.begin(0)
        asking = asyncio.create_task(pool.message("0000", 0))
        await idle()
        assert not asking.done()
        alarm = Alarm({}, pytest.fail, end_worker=Ending())
        alarm.worker = "worker 1"
        alarm.start()
        await idle()

    run(scenario())


class Actor:
    """The actor of a worker, whose answer is an error, or never comes."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self.__ray_ready__ = self

    async def remote(self) -> None:
        if self._error is None:
            await asyncio.Event().wait()
        else:
            raise self._error


@pytest.mark.parametrize(
    ("error", "is_ended"),
    [(None, True), (ActorUnavailableError("away", None), True), (ActorDiedError(), False)],
)
def test_a_worker_is_ended_unless_it_is_gone(
    error: Exception | None, is_ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Actor] = []
    monkeypatch.setattr(hanging.ray, "kill", ended.append)
    monkeypatch.setattr(hanging, "_ANSWER_SECONDS", _SECONDS)
    actor = Actor(error)
    assert asyncio.run(end_worker(actor)) is is_ended
    assert ended == [actor] * is_ended


def test_the_least_of_the_limits_counts_and_is_named() -> None:
    async def scenario() -> None:
        rung = asyncio.get_running_loop().create_future()
        limits = {"report_timeout_s": 60.0, "trial_timeout_s": 0.01}
        alarm = Alarm(limits, rung.set_result, end_worker=Ending())
        alarm.worker = "worker"
        alarm.start()
        assert await rung == "no report for 0.01 s (study.trial_timeout_s); its worker was replaced"

    run(scenario())
