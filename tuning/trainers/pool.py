"""The pool: an actor between those who wait for reports of runs, and trainers, which make them.

It holds no torch and does no work, so a run's way from report to decision takes milliseconds.

A job goes this way: `submit` queues it, a trainer calls `take` and `begin`, and `report` with
each report. Whoever submitted it reads them with `message`: asking for the next one lets the job go
on, `stop` ends it. A trainer whose workers died calls `enter` again.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from mtl_core.training.progress import Progress
from tuning.trainers.decisions import Decision, GoOn, Stop
from tuning.trainers.hanging import Alarm, End, end_worker
from tuning.trainers.messages import Failed, Job, Message, TrainerStatus, TrainJob
from tuning.trainers.orders import Order, Trainer

_MOST_JOBS_IN_VAIN = 3
"""Jobs in a row that a trainer may die over before the trainer is to blame, not the jobs."""


class TrialPool:
    """Hands jobs to trainers and reports back; every method runs in one event loop.

    So there are no locks: between two `await`s nothing else changes what a method looks at.

    A trainer that dies comes back through `enter` and gets its interrupted job again, until the
    job was started `max_attempts` times. A trainer that cannot work is retired; when none is left,
    the jobs stay as they are and `failure` says why.
    """

    def __init__(
        self,
        *,
        max_attempts: int,
        trainers: int,
        timeouts: Mapping[str, float | None] = MappingProxyType({}),
        end_worker: End = end_worker,
    ) -> None:
        """Makes a pool without jobs.

        Args:
            max_attempts: How often a job is started whose worker died.
            trainers: How many there are.
            timeouts: Key of the study file -> seconds without a report after which a worker hangs;
                None = never.
            end_worker: Ends one; see `tuning.trainers.hanging.end_worker`.
        """
        self._max_attempts = max_attempts
        self._trainers = [
            Trainer(Alarm(timeouts, partial(self._fail, number), end_worker=end_worker))
            for number in range(trainers)
        ]
        self._orders: dict[str, Order] = {}
        self._held: dict[str, str] = {}
        self._waiting: deque[Order] = deque()
        self._news = asyncio.Condition()
        self._is_closed = False
        self._failure: str | None = None

    async def submit(self, job: Job) -> None:
        """Queues a job; what comes of it is read with `message`.

        One that was queued before, by a call whose answer was lost, stays as it is. So does a run
        that has come further than the job knows: Tune starts actors for trials that it then gives
        to others, and such an actor may queue its trial when that has long gone on.
        """
        known = self._orders.get(job.spec.key)
        if known is not None and (known.job == job or known.is_beyond(job)):
            return
        # Another job of the same run takes the place of the one before: a score after the training,
        # or what is left of a run that paused. Its trainer may still wait for what was decided.
        if known is not None:
            self._end(known)
        before = known.reports if known is not None else 0
        order = self._orders[job.spec.key] = Order(job, before=before)
        self._waiting.append(order)
        await self._wake()

    async def hold(self, holder: str, job: Job) -> None:
        """Queues a job as `submit` does, for one who may die and comes back with `held`."""
        await self.submit(job)
        self._held[holder] = job.spec.key

    async def held(self, holder: str) -> tuple[str, int] | None:
        """Returns the key of the job that a holder took last, and the message it asked for last.

        Whether it has passed that message on, nobody knows: it may do so twice.
        """
        key = self._held.get(holder)
        return None if key is None else (key, self._orders[key].post.asked)

    async def message(self, key: str, index: int) -> Message:
        """Waits for a message of a job; asking for the one to come means that the job may go on.

        Args:
            key: Key of the job's run, see `TrialSpec.key`.
            index: Number of the message, from 0. The same one may be asked for again, when the
                answer was lost.
        """
        order = self._orders[key]
        coming = order.post.message(index)
        # One that is there already is asked for again, after a lost answer: nothing is decided.
        if not coming.done():
            order.decide(GoOn())
        # A call that is given up must not take the message away from the call that follows.
        return await asyncio.shield(coming)

    async def stop(self, key: str, delivered: int) -> None:
        """Ends a job whose next report nobody wants; its run may go on later, as another job.

        Args:
            key: Of the run.
            delivered: Its reports that are known. A job that was queued with all of them is the
                later one, which overtook this call, and stays.
        """
        order = self._orders.get(key)
        # A run without any report has had no other job.
        if order is not None and order.known < max(1, delivered):
            self._end(order)

    async def enter(self, trainer: int, worker: object = None) -> None:
        """A trainer's workers started, for the first time or again after one of them died.

        Args:
            trainer: Its number.
            worker: The handle of its first worker's actor; a trainer whose first worker ends
                starts all of them anew.
        """
        known = self._trainers[trainer]
        known.alarm.worker = worker
        known.alarm.start()
        if known.starts:
            known.deaths += 1
        known.starts += 1
        # Before anybody is woken: calls of the dead workers have to see the new number of starts,
        # and a trainer that waits has to find the job in the queue.
        self._take_back(known)
        await self._wake()
        if known.deaths >= _MOST_JOBS_IN_VAIN * self._max_attempts:
            await self.retire(trainer, f"its workers died {known.deaths} times in a row")

    async def starts(self, trainer: int) -> int:
        """Returns how often a trainer's workers started."""
        return self._trainers[trainer].starts

    async def take(self, trainer: int) -> Job | None:
        """Waits for a job, which counts as started once it is begun; None = there will be none."""
        known = self._trainers[trainer]
        known.leave()
        known.alarm.stop()
        start = known.starts

        def is_unwanted() -> bool:
            # The call of a worker that died while it waited must not swallow a job.
            is_dead = known.starts != start
            return self._is_closed or not known.is_fit or is_dead

        async with self._news:
            await self._news.wait_for(lambda: self._waiting or is_unwanted())
            if is_unwanted():
                return None
            order = self._waiting.popleft()
        # The answer to this call may be lost with the worker that made it: an attempt counts from
        # `begin` on, so that no job is blamed for a worker that never had it.
        order.is_begun = False
        known.order = order
        known.alarm.start()
        if isinstance(order.job, TrainJob):
            # A run that starts again from its checkpoint yields its early reports once more.
            return replace(order.job, delivered=order.known + order.delivered)
        return order.job

    async def begin(self, trainer: int) -> None:
        """A trainer's workers have the job that was taken, and start on it."""
        order = self._order_of(trainer)
        order.is_begun = True
        order.attempts += 1

    async def report(self, trainer: int, message: Message) -> Decision:
        """Passes a trainer's message on; returns what is to become of the job."""
        known = self._trainers[trainer]
        # As long as it waits for a decision, it does not hang.
        known.alarm.stop()
        start = known.starts
        decision = await self._decision(known, self._order_of(trainer), message)
        # Not for a call that dead workers left behind: the living ones may have no job.
        if known.starts == start:
            known.alarm.start()
        return decision

    async def _decision(self, trainer: Trainer, order: Order, message: Message) -> Decision:
        # Workers that report can work: deaths before count no more against their trainer.
        trainer.deaths = 0
        # It was stopped while its trainer worked on; nobody waits for this report.
        if order.is_over:
            return Stop()
        order.delivered += 1
        if message.is_last:
            order.is_over = True
            order.post.send(message)
            return Stop()
        # Before the message goes out: the decision may come as soon as it is there.
        order.decision = asyncio.get_running_loop().create_future()
        order.post.send(message)
        return await order.decision

    async def progress(self, trainer: int, progress: Progress) -> None:
        """Takes note of where a trainer's run stands; nobody waits for this."""
        known = self._trainers[trainer]
        if known.order is not None:
            known.progress = progress

    async def statuses(self) -> list[TrainerStatus]:
        """Returns what each trainer does now."""
        return [trainer.status() for trainer in self._trainers]

    async def give_back(self, trainer: int, reason: str) -> None:
        """A trainer cannot go on with its job, for a reason such as a full disk; it is retired.

        Not the job's fault, so this try does not count: another trainer may have it, or the next
        session.
        """
        order = self._trainers[trainer].order
        if order is not None:
            order.attempts = max(0, order.attempts - 1)
        await self.retire(trainer, reason)

    async def retire(self, trainer: int, reason: str) -> None:
        """Gives a trainer that cannot work no more jobs; the study fails with the last one."""
        known = self._trainers[trainer]
        known.is_fit = False
        self._take_back(known)
        # In a pool that is closed trainers end as they should.
        if not any(one.is_fit for one in self._trainers) and not self._is_closed:
            self._failure = f"trainer {trainer}: {reason}"
        await self._wake()

    async def failure(self) -> str:
        """Waits until no trainer is left that can work; returns why."""
        async with self._news:
            await self._news.wait_for(lambda: self._failure is not None)
        assert self._failure is not None
        return self._failure

    async def close(self) -> None:
        """Sends the trainers home as they ask for their next job."""
        self._is_closed = True
        await self._wake()

    async def is_wanted(self, trainer: int) -> bool:
        """Returns whether there may be more jobs for a trainer."""
        return not self._is_closed and self._trainers[trainer].is_fit

    def _end(self, order: Order) -> None:
        order.end()
        if order in self._waiting:
            self._waiting.remove(order)

    def _fail(self, trainer: int, reason: str) -> None:
        """Fails what a trainer worked on whose workers were ended."""
        order = self._trainers[trainer].order
        # A job that they have not begun is not to blame: it is taken back with `enter`.
        if order is not None and order.is_begun and not order.is_over:
            order.end()
            order.post.send(Failed(reason))

    def _order_of(self, trainer: int) -> Order:
        """Returns what a trainer works on."""
        order = self._trainers[trainer].order
        assert order is not None, f"trainer {trainer} has taken no job"
        return order

    def _take_back(self, trainer: Trainer) -> None:
        """Queues the job that a trainer left, before all others, or fails it after its last try."""
        order = trainer.leave()
        if order is None or order.is_over:
            return
        if order.is_begun and order.attempts >= self._max_attempts:
            # It is likely the job that kills its workers, by the memory that it takes for instance.
            order.is_over = True
            order.post.send(Failed(f"its worker died {order.attempts} times"))
        else:
            # Before all others: it was begun before them.
            self._waiting.appendleft(order)

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()
