"""The pool: what becomes of a job whose trainer dies, and of a trainer that keeps dying."""

import asyncio

import pytest
from pools import GOES_ON, LAST, idle, job, run, started_pool

from tuning.records import run_id_of
from tuning.trainers.decisions import GoOn, Stop
from tuning.trainers.messages import Failed, Reported, Scored
from tuning.trainers.pool import TrialPool


def test_a_trainer_that_died_gets_its_job_again_before_the_others() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=2)
        await pool.take(0)
        for index in range(2):
            reporting = asyncio.create_task(pool.report(0, GOES_ON))
            await pool.message("0000", index)
        assert not reporting.done()
        await pool.enter(0)
        again = await pool.take(0)
        assert (again.spec.id, again.delivered) == ("0000", 2)

    run(scenario())


def test_a_job_whose_trainer_died_goes_to_another_that_waits() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=1)
        await pool.enter(1)
        await pool.take(0)
        waiting = asyncio.create_task(pool.take(1))
        await idle()
        await pool.enter(0)
        assert (await waiting).spec.id == "0000"

    run(scenario())


def test_a_call_that_a_dead_trainer_left_behind_takes_no_job() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=0)
        left_behind = asyncio.create_task(pool.take(0))
        await idle()
        await pool.enter(0)
        assert await left_behind is None
        await pool.submit(job(3))
        assert (await pool.take(0)).spec.id == "0003"

    run(scenario())


def test_a_holder_that_died_is_told_what_it_had_asked_for() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=0)
        assert await pool.held("holder") is None
        await pool.hold("holder", job(0))
        assert await pool.held("holder") == ("0000", 0)
        await pool.take(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        assert await pool.message("0000", 0) == GOES_ON
        # Died as it had the message: it asks for it again, which decides nothing.
        assert await pool.held("holder") == ("0000", 0)
        assert await pool.message("0000", 0) == GOES_ON
        await idle()
        assert not reporting.done()
        asking = asyncio.create_task(pool.message("0000", 1))
        assert await reporting == GoOn()
        # Died as it waited for the next one, and waits for it again.
        assert await pool.held("holder") == ("0000", 1)
        again = asyncio.create_task(pool.message("0000", 1))
        await idle()
        await pool.report(0, LAST)
        assert (await asking, await again) == (LAST, LAST)
        await pool.hold("holder", job(3))
        assert await pool.held("holder") == ("0003", 0)

    run(scenario())


def test_a_job_fails_after_its_last_attempt() -> None:
    async def scenario() -> None:
        pool = await started_pool(max_attempts=2, jobs=2)
        for _ in range(2):
            assert (await pool.take(0)).spec.id == "0000"
            await pool.begin(0)
            await pool.enter(0)
        assert await pool.message("0000", 0) == Failed("its worker died 2 times")
        assert (await pool.take(0)).spec.id == "0001"

    run(scenario())


@pytest.mark.parametrize("last", [LAST, Failed("boom"), Scored(None, 0)])
def test_a_job_that_is_over_is_not_done_again(last: Reported | Failed | Scored) -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=2)
        await pool.take(0)
        assert await pool.report(0, last) == Stop()
        await pool.enter(0)
        assert (await pool.take(0)).spec.id == "0001"
        assert await pool.message("0000", 0) == last

    run(scenario())


def test_a_stopped_trial_is_not_done_again_when_its_trainer_dies() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=2)
        await pool.take(0)
        await pool.stop("0000", 1)
        await pool.enter(0)
        assert (await pool.take(0)).spec.id == "0001"

    run(scenario())


def test_a_job_that_was_taken_and_not_begun_is_not_blamed() -> None:
    async def scenario() -> None:
        pool = await started_pool(max_attempts=1)
        await pool.take(0)  # the call of a worker that is dead by now
        await pool.enter(0)
        assert (await pool.take(0)).spec.id == "0000"
        await pool.begin(0)
        await pool.enter(0)
        assert await pool.message("0000", 0) == Failed("its worker died 1 times")

    run(scenario())


def test_a_retired_trainer_leaves_its_job_to_the_others() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=2)
        await pool.take(0)
        await pool.begin(0)
        await pool.retire(0, "no GPU")
        assert not await pool.is_wanted(0)
        assert await pool.is_wanted(1)
        assert await pool.take(0) is None
        assert [(await pool.take(1)).spec.id for _ in range(2)] == ["0000", "0001"]

    run(scenario())


def test_a_job_that_met_a_full_disk_is_not_failed_by_it() -> None:
    async def scenario() -> None:
        pool = await started_pool(max_attempts=1, jobs=2)
        failing = asyncio.create_task(pool.failure())
        for trainer in range(2):
            assert (await pool.take(trainer)).spec.id == "0000"
            await pool.begin(trainer)
            await pool.give_back(trainer, "cannot write x: no room")
            assert await pool.take(trainer) is None
        assert await failing == "trainer 1: cannot write x: no room"
        # No message came: for Tune the trial still runs, and the next session goes on with it.
        asking = asyncio.create_task(pool.message("0000", 0))
        await idle()
        assert not asking.done()
        asking.cancel()

    run(scenario())


def test_a_trainer_is_retired_while_it_waits() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=0)
        waiting = asyncio.create_task(pool.take(0))
        await idle()
        await pool.retire(0, "no GPU")
        assert await waiting is None

    run(scenario())


def test_the_study_fails_with_its_last_trainer_and_its_jobs_do_not() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=2)
        await pool.take(0)
        failing = asyncio.create_task(pool.failure())
        asking = asyncio.create_task(pool.message("0000", 0))
        await pool.retire(1, "no GPU")
        await idle()
        assert not failing.done()
        await pool.retire(0, "no disk")
        assert await failing == "trainer 0: no disk"
        await idle()
        assert not asking.done()

    run(scenario())


def test_trainers_that_leave_a_closed_pool_are_no_failure() -> None:
    async def scenario() -> None:
        pool = await started_pool(trainers=1)
        failing = asyncio.create_task(pool.failure())
        await pool.close()
        await pool.retire(0, "it ended")
        await idle()
        assert not failing.done()
        failing.cancel()

    run(scenario())


def test_a_trainer_whose_workers_die_over_three_jobs_is_to_blame() -> None:
    async def scenario() -> None:
        pool = await started_pool(max_attempts=2, jobs=4, trainers=1)
        for _ in range(6):
            assert await pool.is_wanted(0)
            await pool.take(0)
            await pool.begin(0)
            await pool.enter(0)
        assert not await pool.is_wanted(0)
        assert await pool.failure() == "trainer 0: its workers died 6 times in a row"
        died = Failed("its worker died 2 times")
        assert [await pool.message(run_id_of(number), 0) for number in range(3)] == [died] * 3
        asking = asyncio.create_task(pool.message("0003", 0))
        await idle()
        assert not asking.done()
        asking.cancel()

    run(scenario())


def test_workers_that_die_without_a_job_end_the_trainer() -> None:
    async def scenario() -> None:
        pool = TrialPool(max_attempts=2, trainers=1)
        for _ in range(6):
            await pool.enter(0)
        assert await pool.is_wanted(0)
        await pool.enter(0)
        assert not await pool.is_wanted(0)
        assert await pool.starts(0) == 7

    run(scenario())


def test_a_report_forgives_the_deaths_before_it() -> None:
    async def scenario() -> None:
        pool = await started_pool(max_attempts=1, jobs=10, trainers=1)
        for _ in range(10):
            await pool.take(0)
            await pool.begin(0)
            await pool.report(0, LAST)
            await pool.enter(0)
        assert await pool.is_wanted(0)

    run(scenario())
