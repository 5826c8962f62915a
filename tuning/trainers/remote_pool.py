"""The pool as other processes reach it: an actor behind a network that may be away for a moment."""

import time
from collections.abc import Sequence
from typing import Any

import ray

from tuning.cluster import asking
from tuning.cluster.deaths import AWAY
from tuning.trainers.messages import Job, Message, PoolAddress


class RemotePool:
    """The pool's actor; every call may be made twice with the effect of one."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    @classmethod
    def at(cls, address: PoolAddress) -> "RemotePool":
        """Connects to the pool at an address."""
        return cls(ray.get_actor(address.name, namespace=address.namespace))

    def submit(self, job: Job) -> None:
        """Queues a job; asks again until an answer comes."""
        # The pool knows a job that it has, so a call whose answer was lost may be made again.
        asking.ask(lambda: self._actor.submit.remote(job))

    def hold(self, holder: str, job: Job) -> None:
        """Queues a job for a holder; see `TrialPool.hold`."""
        asking.ask(lambda: self._actor.hold.remote(holder, job))

    def held(self, holder: str) -> tuple[str, int] | None:
        """Returns what a holder took last; see `TrialPool.held`."""
        found: tuple[str, int] | None = asking.ask(lambda: self._actor.held.remote(holder))
        return found

    def message(self, run_id: str, index: int) -> Any:
        """Asks for a message of a run; returns the reference of the answer."""
        return self._actor.message.remote(run_id, index)

    def answered(self, references: Sequence[Any], *, seconds: float) -> Sequence[Any]:
        """Waits for one of the answers, up to `seconds`; returns those that are there."""
        found: Sequence[Any] = ray.wait(list(references), timeout=seconds)[0]
        return found

    def read(self, reference: Any) -> Message | None:
        """Returns an answer that is there; None when it was lost and has to be asked for again."""
        try:
            message: Message = ray.get(reference)
        except AWAY:
            time.sleep(asking.AGAIN_SECONDS)
            return None
        return message
