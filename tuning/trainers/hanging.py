"""Workers that hang: an alarm that rings when nothing is heard of one, and how one is ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import ray

from tuning.cluster.deaths import AWAY, GONE

_ANSWER_SECONDS = 5.0
"""How long a worker may take to answer before it is ended; only one that is gone fails at once."""


End = Callable[[Any], Awaitable[bool]]
"""Ends a worker; see `end_worker`."""


class Alarm:
    """Ends the worker of a trainer when the alarm was not stopped or started again for a while.

    Attributes:
        worker: The handle of the worker's actor; None while there is none.
    """

    def __init__(
        self, limits: Mapping[str, float | None], then: Callable[[str], object], *, end_worker: End
    ) -> None:
        """Makes an alarm that is off.

        Args:
            limits: Key of the study file -> seconds, the least of which it waits; None = for ever.
            then: Called when it ended the worker, with the reason.
            end_worker: Ends it.
        """
        self.worker: object = None
        found = [(seconds, key) for key, seconds in limits.items() if seconds is not None]
        self._seconds: float | None = None
        if found:
            self._seconds, self._key = min(found)
        self._then = then
        self._end_worker = end_worker
        self._timer: asyncio.TimerHandle | None = None
        self._ringing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Waits from now on."""
        self.stop()
        if self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._go_off)

    def stop(self) -> None:
        """Waits no more; what it does already goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self) -> None:
        self._timer = None
        # Kept, as the loop itself holds tasks weakly.
        self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        if self.worker is not None and await self._end_worker(self.worker):
            self._then(
                f"no report for {self._seconds:g} s (study.{self._key}); its worker was replaced"
            )


async def end_worker(worker: Any) -> bool:
    """Ends a worker of a trainer, whatever it does; Ray Train then starts all of them anew.

    Args:
        worker: The handle of its actor.

    Returns:
        Whether it was there; False of one that had died by itself, which Ray is replacing.
    """
    try:
        # One that hangs in C code, or that was stopped, does not answer.
        with suppress(TimeoutError, *AWAY):
            await asyncio.wait_for(_answer(worker), _ANSWER_SECONDS)
    except GONE:
        return False
    # By its raylet where it does not end by itself: no handler of its own can be in the way.
    ray.kill(worker)
    return True


async def _answer(worker: Any) -> object:
    return await worker.__ray_ready__.remote()
