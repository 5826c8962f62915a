"""What the pool keeps of each job, and of each trainer; used in its event loop alone."""

import asyncio
from dataclasses import dataclass, field

from mtl_core.training.progress import Progress
from tuning.trainers.decisions import Decision, Stop
from tuning.trainers.hanging import Alarm
from tuning.trainers.messages import Job, Message, TrainerStatus, TrainJob


class Post:
    """The messages of a job, from the trainers that make them to who reads them.

    Attributes:
        asked: Number of the message that was asked for last.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._num_sent = 0
        # Number of a message -> the message, which may be still to come.
        self._messages: dict[int, asyncio.Future[Message]] = {}

    def message(self, index: int) -> "asyncio.Future[Message]":
        """Returns a message, which may be still to come; the one before has arrived."""
        self.asked = index
        # Asking for this one says that the one before has arrived, and need not be kept.
        self._messages.pop(index - 1, None)
        return self._messages.setdefault(index, asyncio.get_running_loop().create_future())

    def send(self, message: Message) -> None:
        """Adds a message."""
        # Whoever waits for it may have asked before it came.
        coming = asyncio.get_running_loop().create_future()
        self._messages.setdefault(self._num_sent, coming).set_result(message)
        self._num_sent += 1


@dataclass(slots=True)
class Order:
    """A job on its way: waiting, being worked on, or done.

    Attributes:
        job: The job.
        before: Reports that its run has made by earlier jobs.
        attempts: How often trainers have begun it.
        delivered: Messages that its trainers have sent.
        is_begun: Whether the trainer that has it has begun it.
        is_over: Whether no trainer is to work on it any more.
        post: What its trainers have sent.
        decision: What the trainer that has reported waits for.
    """

    job: Job
    before: int = 0
    attempts: int = 0
    delivered: int = 0
    is_begun: bool = False
    is_over: bool = False
    post: Post = field(default_factory=Post)
    decision: "asyncio.Future[Decision] | None" = None

    @property
    def known(self) -> int:
        """Reports of its run that were known before."""
        return self.job.delivered if isinstance(self.job, TrainJob) else 0

    @property
    def reports(self) -> int:
        """Reports that its run has made, by this job or by earlier ones."""
        is_training = isinstance(self.job, TrainJob)
        return self.known + self.delivered if is_training else self.before

    def is_beyond(self, job: Job) -> bool:
        """Whether the run has made more reports than a job that is to train it knows of."""
        return isinstance(job, TrainJob) and job.delivered < self.reports

    def decide(self, decision: Decision) -> None:
        """Answers the trainer that waits for a decision, when one does."""
        if self.decision is not None and not self.decision.done():
            self.decision.set_result(decision)

    def end(self) -> None:
        """Lets no trainer work on it any more."""
        self.is_over = True
        self.decide(Stop())


@dataclass(slots=True)
class Trainer:
    """What the pool knows of a trainer.

    Attributes:
        alarm: Knows its first worker, and ends it when it is to be heard of and is not.
        is_fit: Whether it is to work.
        starts: How often its workers started.
        deaths: Deaths of its workers since the last report.
        order: What it works on.
        progress: Where that stands.
    """

    alarm: Alarm
    is_fit: bool = True
    starts: int = 0
    deaths: int = 0
    order: Order | None = None
    progress: Progress | None = None

    def leave(self) -> Order | None:
        """Takes its job away; returns that."""
        order, self.order, self.progress = self.order, None, None
        return order

    def status(self) -> TrainerStatus:
        """Returns what it does now."""
        key = self.order.job.spec.key if self.order is not None else None
        return TrainerStatus(is_ready=self.starts > 0, job=key, progress=self.progress)
