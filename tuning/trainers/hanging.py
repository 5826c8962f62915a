"""Workers that hang: an alarm that rings when nothing is heard of one, and how one is ended."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import ray

from tuning.cluster.deaths import AWAY, GONE

_ANSWER_SECONDS = 5.0
"""How long a worker may take to answer before it is ended; only one that is gone fails at once."""


_Ring = Callable[[], Coroutine[Any, Any, None]]


class Alarm:
    """Rings once, when it was not stopped or started again for a while."""

    def __init__(
        self, seconds: float | None, ring: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Makes an alarm that is off.

        Args:
            seconds: How long it waits; None = for ever.
            ring: What it does then, in the event loop in which it was started.
        """
        self._seconds = seconds
        self._ring = ring
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
        # Kept: the loop itself holds tasks weakly.
        self._ringing = asyncio.get_running_loop().create_task(self._ring())


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
