"""The runner: queues jobs in the pool, trials or not, and streams back their messages."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from tuning.trainers.messages import Job, Message

_LOOK_SECONDS = 1.0
"""How long an answer is waited for before the caller's check has its turn."""


class PoolClient(Protocol):
    """A pool that is somewhere else; see `RemotePool`."""

    def submit(self, job: Job) -> None:
        """Queues a job; the same one twice counts once."""

    def message(self, key: str, index: int) -> Any:
        """Asks for a message of a run, by its key; returns the reference of the answer."""

    def answered(self, references: Sequence[Any], *, seconds: float) -> Sequence[Any]:
        """Waits for one of the answers, up to `seconds`; returns those that are there."""

    def read(self, reference: Any) -> Message | None:
        """Returns an answer that is there; None when it was lost."""


class Runner:
    """Has jobs done in a pool; trainers work on as many of them at a time as there are."""

    def __init__(self, pool: PoolClient, *, check: Callable[[], object] | None = None) -> None:
        """Uses a pool.

        Args:
            pool: Where trainers take their jobs.
            check: Called about every second of waiting; what it raises ends the waiting.
        """
        self._pool = pool
        self._check = check

    def run(self, jobs: Sequence[Job]) -> Iterator[tuple[str, Message]]:
        """Queues jobs of one study, each with a run id of its own, and returns what comes of them.

        Returns:
            (run id, message), in the order in which they come; the last one of a run has
            `is_last`. A run goes on to its next report when the caller asks for what comes after
            its report.
        """
        # Not a generator itself: jobs are queued by this call, not when the first message is read.
        for job in jobs:
            self._pool.submit(job)
        ids = {job.spec.key: job.spec.id for job in jobs}
        return ((ids[key], message) for key, message in self._messages([(key, 0) for key in ids]))

    def go_on(self, key: str, index: int) -> Iterator[tuple[str, Message]]:
        """Returns what comes of a run that was queued before, by its key, from a message on."""
        return self._messages([(key, index)])

    def _messages(self, first: Sequence[tuple[str, int]]) -> Iterator[tuple[str, Message]]:
        coming = {self._pool.message(*asked): asked for asked in first}
        while coming:
            answered = self._pool.answered(list(coming), seconds=_LOOK_SECONDS)
            if self._check is not None:
                self._check()
            for reference in answered:
                key, index = coming.pop(reference)
                message = self._pool.read(reference)
                if message is not None:
                    yield key, message
                    if message.is_last:
                        continue
                    index += 1
                # To ask for the next message is to decide that the run goes on, so it is asked for
                # after the caller has seen this one.
                coming[self._pool.message(key, index)] = key, index
