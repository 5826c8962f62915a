"""The pool: an actor between Tune's trials, which wait for reports, and trainers, which make them.

It holds no torch and does no work, so a trial's way from report to decision takes milliseconds.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

from tuning.messages import Failed, Job, Message, Reported, TrialJob


@dataclass(slots=True)
class _Order:
    """A job on its way: waiting, being worked on, or done."""

    job: Job
    attempts: int = 0
    delivered: int = 0
    is_over: bool = False
    messages: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    decision: "asyncio.Future[bool] | None" = None

    def decide(self, *, go_on: bool) -> None:
        """Answers the trainer that waits for a decision, when one does."""
        if self.decision is not None and not self.decision.done():
            self.decision.set_result(go_on)

    def end(self) -> None:
        """Lets no trainer work on it any more."""
        self.is_over = True
        self.decide(go_on=False)


class TrialPool:
    """Hands jobs to trainers and reports back; every method runs in one event loop.

    A trainer that dies comes back through `enter` and gets its interrupted job again, until the
    job was started `max_attempts` times.
    """

    def __init__(self, *, max_attempts: int) -> None:
        self._max_attempts = max_attempts
        self._orders: dict[int, _Order] = {}
        self._waiting: deque[_Order] = deque()
        self._working: dict[int, _Order] = {}
        self._starts: dict[int, int] = {}
        self._starts_in_vain: dict[int, int] = {}
        self._news = asyncio.Condition()
        self._is_closed = False
        self._broken: str | None = None

    async def submit(self, job: Job) -> None:
        """Queues a job; its messages are read with `next_message`."""
        order = self._orders[job.number] = _Order(job)
        if self._broken is not None:
            order.messages.put_nowait(Failed(self._broken))
            return
        self._waiting.append(order)
        await self._wake()

    async def next_message(self, number: int) -> Message:
        """Waits for the next message of a job; asking for it means that the job may go on."""
        order = self._orders[number]
        order.decide(go_on=True)
        return await order.messages.get()

    async def stop(self, number: int) -> None:
        """Ends a job whose next report nobody wants."""
        order = self._orders.get(number)
        if order is not None:
            order.end()
            if order in self._waiting:
                self._waiting.remove(order)

    async def enter(self, trainer: int) -> None:
        """A trainer's workers started, for the first time or again after one of them died."""
        self._starts[trainer] = self._starts.get(trainer, 0) + 1
        starts = self._starts_in_vain[trainer] = self._starts_in_vain.get(trainer, 0) + 1
        order = self._working.pop(trainer, None)
        if order is not None and not order.is_over:
            if order.attempts >= self._max_attempts:
                self._fail(order, f"its worker died {order.attempts} times")
            else:
                self._waiting.appendleft(order)
        await self._wake()
        if starts > 2 * self._max_attempts:
            await self.give_up(f"the workers of trainer {trainer} died {starts} times in a row")

    async def take(self, trainer: int) -> Job | None:
        """Waits for a job; None means that there will be none."""
        self._working.pop(trainer, None)
        start = self._starts.get(trainer)

        def is_dead() -> bool:
            # The call of a worker that died while it waited must not swallow a job.
            return self._starts.get(trainer) != start

        async with self._news:
            await self._news.wait_for(lambda: self._waiting or self._is_closed or is_dead())
            if self._is_closed or is_dead():
                return None
            order = self._waiting.popleft()
        order.attempts += 1
        self._working[trainer] = order
        if isinstance(order.job, TrialJob):
            return replace(order.job, delivered=order.delivered)
        return order.job

    async def report(self, trainer: int, message: Message) -> bool:
        """Passes a trainer's message on; returns whether the trainer shall go on with the job."""
        self._starts_in_vain[trainer] = 0
        order = self._working[trainer]
        if order.is_over:
            return False
        order.delivered += 1
        is_last = not isinstance(message, Reported) or message.is_last
        if is_last:
            order.is_over = True
            order.messages.put_nowait(message)
            return False
        order.decision = asyncio.get_running_loop().create_future()
        order.messages.put_nowait(message)
        return await order.decision

    async def give_up(self, reason: str) -> None:
        """Fails every job, now and later: the trainers cannot work."""
        self._broken = reason
        for order in self._orders.values():
            if not order.is_over:
                self._fail(order, reason)
        self._waiting.clear()
        await self.close()

    async def close(self) -> None:
        """Sends the trainers home as they ask for their next job."""
        self._is_closed = True
        await self._wake()

    async def is_closed(self) -> bool:
        """Returns whether trainers are no longer wanted."""
        return self._is_closed

    def _fail(self, order: _Order, error: str) -> None:
        order.is_over = True
        order.messages.put_nowait(Failed(error))

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()
