"""The pool: jobs, messages and decisions on their way."""

import asyncio

from pools import GOES_ON, LAST, idle, job, run, score_job, spec, started_pool

from tuning.trainers.decisions import GoOn, Stop
from tuning.trainers.messages import Scored, TrainJob


def test_jobs_are_taken_in_the_order_they_came() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=3)
        assert [(await pool.take(0)).spec.id for _ in range(3)] == ["0000", "0001", "0002"]

    run(scenario())


def test_a_job_that_is_queued_twice_is_done_once() -> None:
    """As after an answer that was lost on its way."""

    async def scenario() -> None:
        pool = await started_pool(jobs=1)
        await pool.submit(job(0))
        assert await pool.take(0) == job(0)
        await pool.submit(job(0))
        await pool.report(0, LAST)
        assert await pool.message("0000", 0) == LAST
        await pool.submit(score_job(0))
        assert await pool.take(0) == score_job(0)

    run(scenario())


def test_a_trainer_waits_for_a_job() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=0)
        taking = asyncio.create_task(pool.take(0))
        await idle()
        assert not taking.done()
        await pool.submit(job(5))
        assert await taking == job(5)

    run(scenario())


def test_asking_for_the_next_report_lets_the_trial_go_on() -> None:
    async def scenario() -> None:
        pool = await started_pool()
        await pool.take(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        assert await pool.message("0000", 0) == GOES_ON
        await idle()
        assert not reporting.done()
        asking = asyncio.create_task(pool.message("0000", 1))
        assert await reporting == GoOn()
        assert await pool.report(0, LAST) == Stop()
        assert await asking == LAST

    run(scenario())


def test_a_message_comes_again_and_lets_nothing_go_on() -> None:
    """As after an answer that was lost on its way."""

    async def scenario() -> None:
        pool = await started_pool()
        await pool.take(0)
        lost, again = (asyncio.create_task(pool.message("0000", 0)) for _ in range(2))
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        assert await lost == await again == await pool.message("0000", 0) == GOES_ON
        await idle()
        assert not reporting.done()
        lost, again = (asyncio.create_task(pool.message("0000", 1)) for _ in range(2))
        assert await reporting == GoOn()
        lost.cancel()
        await pool.report(0, LAST)
        assert await again == LAST

    run(scenario())


def test_a_stopped_trial_ends_at_its_report() -> None:
    async def scenario() -> None:
        pool = await started_pool()
        await pool.take(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        await pool.message("0000", 0)
        await pool.stop("0000", 1)
        assert await reporting == Stop()

    run(scenario())


def test_a_trial_stopped_between_reports_ends_at_the_next_one() -> None:
    async def scenario() -> None:
        pool = await started_pool()
        await pool.take(0)
        await pool.stop("0000", 1)
        assert await pool.report(0, GOES_ON) == Stop()

    run(scenario())


def test_a_job_stopped_in_the_queue_is_not_taken() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=2)
        await pool.stop("0000", 1)
        assert (await pool.take(0)).spec.id == "0001"

    run(scenario())


def test_stopping_an_unknown_job_does_nothing() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=1)
        await pool.stop("0007", 1)
        assert (await pool.take(0)).spec.id == "0000"

    run(scenario())


def test_scoring_a_trial_is_apart_from_training_it() -> None:
    async def scenario() -> None:
        pool = await started_pool()
        await pool.take(0)
        await pool.report(0, LAST)
        await pool.submit(score_job(0))
        assert await pool.take(0) == score_job(0)
        await pool.report(0, Scored({"combined": 0.5}, 10))
        assert await pool.message("0000", 0) == Scored({"combined": 0.5}, 10)

    run(scenario())


def test_closing_sends_waiting_and_later_trainers_home() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=0)
        waiting = asyncio.create_task(pool.take(0))
        await idle()
        assert await pool.is_wanted(0)
        await pool.close()
        assert not await pool.is_wanted(0)
        assert await waiting is None
        assert await pool.take(1) is None

    run(scenario())


def test_a_run_that_goes_on_is_not_ended_by_the_stop_of_its_pause() -> None:
    """Pausing it and taking it up again are calls of two processes: they come in any order."""

    async def scenario() -> None:
        pool = await started_pool()
        await pool.enter(1)
        await pool.take(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        await pool.message("0000", 0)
        rest = TrainJob(spec(0), delivered=1)
        await pool.submit(rest)
        assert await reporting == Stop()  # Its trainer is free, and does not wait for ever.
        await pool.stop("0000", 1)
        assert await pool.take(1) == rest
        asking = asyncio.create_task(pool.message("0000", 0))
        assert await pool.report(1, LAST) == Stop()
        assert await asking == LAST

    run(scenario())


def test_what_was_delivered_of_a_run_that_goes_on_is_counted_on() -> None:
    async def scenario() -> None:
        pool = await started_pool(jobs=0)
        await pool.submit(TrainJob(spec(0), delivered=3))
        await pool.take(0)
        await pool.begin(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        await pool.message("0000", 0)
        await idle()
        await pool.enter(0)
        assert await pool.take(0) == TrainJob(spec(0), delivered=4)
        reporting.cancel()

    run(scenario())


def test_a_job_that_comes_late_does_not_undo_what_its_run_has_done() -> None:
    """Tune starts an actor for a trial, gives it to another, and the first queues it much later."""

    async def scenario() -> None:
        pool = await started_pool()
        await pool.take(0)
        reporting = asyncio.create_task(pool.report(0, GOES_ON))
        await pool.message("0000", 0)
        await pool.stop("0000", 1)
        assert await reporting == Stop()
        await pool.submit(job(0))
        await pool.submit(TrainJob(spec(0), delivered=1))
        await pool.submit(job(0))
        assert await pool.take(0) == TrainJob(spec(0), delivered=1)
        await pool.report(0, LAST)
        await pool.submit(score_job(0))
        await pool.submit(TrainJob(spec(0), delivered=1))
        assert await pool.take(0) == score_job(0)
        await pool.submit(job(1))
        assert await pool.take(0) == job(1)

    run(scenario())
