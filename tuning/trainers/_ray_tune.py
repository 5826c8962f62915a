"""Private parts of Ray Tune that are used, as of Ray 2.60."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ray.tune.execution import tune_controller


@contextmanager
def restarted_actors(times: int) -> Iterator[None]:
    """Has Ray start the actors of Tune's trials anew when they die, with the call they were in.

    Tune's own way to go on with a trial (`FailureConfig`) does not bear what it is for: it ends the
    search over an actor that Ray's memory monitor ended, it waits for ever for one that died as it
    took its next trial, and it says of each death that the trial has failed. An actor that Ray
    starts anew keeps its id and its place, and Tune sees nothing of it.

    Args:
        times: How often in the life of an actor; after the last time Tune is told that it died.
    """
    theirs = tune_controller._ActorClassCache

    class Restarted(theirs):  # type: ignore[misc, valid-type]  # untyped in Ray
        def get(self, trainable: Any) -> Any:
            found = super().get(trainable)
            # Tune adds the resources to these with `options`, and has no say in the others.
            found._default_options.update(max_restarts=times, max_task_retries=-1)
            return found

    tune_controller._ActorClassCache = Restarted
    try:
        yield
    finally:
        tune_controller._ActorClassCache = theirs


def drop_empty(folder: str) -> None:
    """Removes a folder that Tune made for a trial, in its actor or in the driver.

    Tune makes both for every trial and keeps them until Ray ends; here nothing is written there.
    One that is not empty stays.
    """
    with suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106  # Tune's paths are text
