"""Asks actors again when their answer was lost: the network may be away for a moment."""

import time
from collections.abc import Callable
from typing import Any

import ray

from tuning.cluster.deaths import AWAY

AGAIN_SECONDS = 1.0
"""Wait until an actor is asked again, when its answer was lost."""


def ask(call: Callable[[], Any]) -> Any:
    """Returns what an actor answers, asking again for an answer that was lost.

    Args:
        call: Makes a call that may be made twice with the effect of one; returns its reference.

    Raises:
        RayError: One of `GONE`, the actor is gone.
    """
    while True:
        try:
            return ray.get(call())
        except AWAY:  # What tells of an actor that is gone goes through.
            time.sleep(AGAIN_SECONDS)
