"""The pool: an actor between Tune's trials, which wait for reports, and trainers, which make them.

It holds no torch and does no work, so a trial's way from report to decision takes milliseconds.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

from mtl_core.training.progress import Progress
from tuning.trainers.messages import Failed, Job, Message, Reported, TrainerStatus, TrainJob


@dataclass(slots=True)
class _Order:
    """A job on its way: waiting, being worked on, or done."""

    job: Job
    attempts: int = 0
    delivered: int = 0
    is_begun: bool = False
    is_over: bool = False
    messages: "dict[int, asyncio.Future[Message]]" = field(default_factory=dict)
    num_sent: int = 0
    decision: "asyncio.Future[bool] | None" = None

    def message(self, index: int) -> "asyncio.Future[Message]":
        """Returns a message, which may be still to come; the one before has arrived."""
        self.messages.pop(index - 1, None)
        return self.messages.setdefault(index, asyncio.get_running_loop().create_future())

    def send(self, message: Message) -> None:
        """Adds a message."""
        coming = asyncio.get_running_loop().create_future()
        self.messages.setdefault(self.num_sent, coming).set_result(message)
        self.num_sent += 1

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
    job was started `max_attempts` times. A trainer that cannot work is retired; when none is left,
    the jobs stay as they are and `failure` says why.
    """

    _MOST_JOBS_IN_VAIN = 3
    """Jobs in a row that a trainer may die over before the trainer is to blame, not the jobs."""

    def __init__(self, *, max_attempts: int, trainers: int) -> None:
        self._max_attempts = max_attempts
        self._fit = set(range(trainers))
        self._num_trainers = trainers
        self._orders: dict[str, _Order] = {}
        self._waiting: deque[_Order] = deque()
        self._working: dict[int, _Order] = {}
        self._progress: dict[int, Progress] = {}
        self._starts: dict[int, int] = {}
        self._deaths: dict[int, int] = {}
        self._news = asyncio.Condition()
        self._is_closed = False
        self._failure: str | None = None

    async def submit(self, job: Job) -> None:
        """Queues a job; what comes of it is read with `message`.

        One that was queued before, by a call whose answer was lost, stays as it is.
        """
        known = self._orders.get(job.spec.id)
        if known is not None and known.job == job:
            return
        order = self._orders[job.spec.id] = _Order(job)
        self._waiting.append(order)
        await self._wake()

    async def message(self, run_id: str, index: int) -> Message:
        """Waits for a message of a job; asking for the one to come means that the job may go on.

        Args:
            run_id: The job's.
            index: Of its messages, from 0; one may be asked for again, when the answer was lost.
        """
        order = self._orders[run_id]
        coming = order.message(index)
        if not coming.done():
            order.decide(go_on=True)
        return await asyncio.shield(coming)

    async def stop(self, run_id: str) -> None:
        """Ends a job whose next report nobody wants."""
        order = self._orders.get(run_id)
        if order is not None:
            order.end()
            if order in self._waiting:
                self._waiting.remove(order)

    async def enter(self, trainer: int) -> None:
        """A trainer's workers started, for the first time or again after one of them died."""
        if trainer in self._starts:
            self._deaths[trainer] = self._deaths.get(trainer, 0) + 1
        self._starts[trainer] = self._starts.get(trainer, 0) + 1
        self._take_back(trainer)
        await self._wake()
        deaths = self._deaths.get(trainer, 0)
        if deaths >= self._MOST_JOBS_IN_VAIN * self._max_attempts:
            await self.retire(trainer, f"its workers died {deaths} times in a row")

    async def starts(self, trainer: int) -> int:
        """Returns how often a trainer's workers started."""
        return self._starts.get(trainer, 0)

    async def take(self, trainer: int) -> Job | None:
        """Waits for a job, which counts as started once it is begun; None = there will be none."""
        self._working.pop(trainer, None)
        self._progress.pop(trainer, None)
        start = self._starts.get(trainer)

        def is_dead() -> bool:
            # The call of a worker that died while it waited must not swallow a job.
            return self._starts.get(trainer) != start

        def is_unwanted() -> bool:
            return self._is_closed or trainer not in self._fit or is_dead()

        async with self._news:
            await self._news.wait_for(lambda: self._waiting or is_unwanted())
            if is_unwanted():
                return None
            order = self._waiting.popleft()
        order.is_begun = False
        self._working[trainer] = order
        if isinstance(order.job, TrainJob):
            return replace(order.job, delivered=order.delivered)
        return order.job

    async def begin(self, trainer: int) -> None:
        """A trainer's workers have the job that was taken, and start on it."""
        order = self._working[trainer]
        order.is_begun = True
        order.attempts += 1

    async def report(self, trainer: int, message: Message) -> bool:
        """Passes a trainer's message on; returns whether the trainer shall go on with the job."""
        self._deaths[trainer] = 0
        order = self._working[trainer]
        if order.is_over:
            return False
        order.delivered += 1
        is_last = not isinstance(message, Reported) or message.is_last
        if is_last:
            order.is_over = True
            order.send(message)
            return False
        order.decision = asyncio.get_running_loop().create_future()
        order.send(message)
        return await order.decision

    async def progress(self, trainer: int, progress: Progress) -> None:
        """Takes note of where a trainer's run stands; nobody waits for this."""
        if trainer in self._working:
            self._progress[trainer] = progress

    async def statuses(self) -> list[TrainerStatus]:
        """Returns what each trainer does now."""
        return [self._status(trainer) for trainer in range(self._num_trainers)]

    def _status(self, trainer: int) -> TrainerStatus:
        order = self._working.get(trainer)
        return TrainerStatus(
            is_ready=trainer in self._starts,
            job=order.job.spec.id if order is not None else None,
            progress=self._progress.get(trainer),
        )

    async def retire(self, trainer: int, reason: str) -> None:
        """Gives a trainer that cannot work no more jobs; the study fails with the last one."""
        self._fit.discard(trainer)
        self._take_back(trainer)
        if not self._fit and not self._is_closed:
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
        return not self._is_closed and trainer in self._fit

    def _take_back(self, trainer: int) -> None:
        """Queues the job that a trainer left, before all others, or fails it after its last try."""
        order = self._working.pop(trainer, None)
        self._progress.pop(trainer, None)
        if order is None or order.is_over:
            return
        if order.is_begun and order.attempts >= self._max_attempts:
            order.is_over = True
            order.send(Failed(f"its worker died {order.attempts} times"))
        else:
            self._waiting.appendleft(order)

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()
