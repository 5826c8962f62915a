"""A worker's line to the pool: rank 0 of a trainer speaks, and all its workers get the answer."""

import time
from datetime import timedelta
from typing import Any, TypeVar

import ray
import torch.distributed as dist

from mtl_core.training.distributed import Place
from mtl_core.training.progress import Progress
from tuning.trainers.decisions import Decision, Stop
from tuning.trainers.messages import Job, Message, PoolAddress

_T = TypeVar("_T")

_TELL_SECONDS = 1.0
"""Time between messages of progress: a person reads them."""

_ENDLESS = timedelta(days=365)
"""Torch would otherwise end workers that wait for longer than half an hour."""


class Channel:
    """The line of one worker of a trainer.

    `take` and `send` are collective: all workers of the trainer call them, in the same order.
    `report`, `give_back` and `tell` are for one worker alone.
    """

    def __init__(self, pool: PoolAddress, trainer: int, place: Place) -> None:
        """Connects, together with all other workers of the trainer.

        Args:
            pool: Where the pool is found.
            trainer: Number of the trainer.
            place: The worker's place among them.
        """
        self._actor = ray.get_actor(pool.name, namespace=pool.namespace)
        self._trainer = trainer
        self._is_first = place.rank == 0
        # Messages between workers are small Python objects; they must not need a GPU.
        # At the end of a study a trainer may wait for others' trials, as long as these take.
        self._group = (
            dist.new_group(backend="gloo", timeout=_ENDLESS) if place.world_size > 1 else None
        )
        self._told, self._phase = 0.0, ""

    def enter(self) -> None:
        """Tells the pool that the workers are there."""
        if self._is_first:
            worker = ray.get_runtime_context().current_actor
            ray.get(self._actor.enter.remote(self._trainer, worker))

    def take(self) -> Job | None:
        """Returns the next job, the same on all workers; None when there will be none."""
        job: Job | None = None
        if self._is_first:
            job = ray.get(self._actor.take.remote(self._trainer))
            if job is not None:
                # A call of its own: only now is it sure that the job has arrived, and an attempt
                # counts.
                ray.get(self._actor.begin.remote(self._trainer))
        return self._from_first(job)

    def send(self, message: Message) -> Decision:
        """Sends what all workers have come to; returns the decision that all of them obey."""
        # Without one answer for all, one worker would go on into a step that the others left, and
        # wait there for ever. What the others put in here is overwritten.
        return self._from_first(self.report(message) if self._is_first else Stop())

    def report(self, message: Message) -> Decision:
        """Sends a message of this worker, of which the others may not know."""
        decision: Decision = ray.get(self._actor.report.remote(self._trainer, message))
        return decision

    def give_back(self, reason: str) -> None:
        """Gives back what this worker cannot go on with, through no fault of the job."""
        ray.get(self._actor.give_back.remote(self._trainer, reason))

    def tell(self, progress: Progress) -> None:
        """Tells the pool where the run stands, now and then, without waiting for an answer."""
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS or progress.phase != self._phase:
            self._told, self._phase = now, progress.phase
            # No `ray.get`: a step must not wait for the network, and a message that is lost is no
            # loss.
            self._actor.progress.remote(self._trainer, progress)

    def _from_first(self, value: _T) -> _T:
        """Returns the first worker's value on every worker."""
        if self._group is None:
            return value
        values: list[Any] = [value]
        dist.broadcast_object_list(values, src=0, group=self._group)
        found: _T = values[0]
        return found
