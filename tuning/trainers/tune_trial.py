"""A trial as Ray Tune sees it: an actor that hands its recipe to the pool and passes reports on.

It imports neither torch nor transformers, and Tune reuses it for trial after trial.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import ray
from ray.tune import Trainable

from tuning.trainers.messages import Failed, Reported, TrainJob
from tuning.trainers.remote_pool import RemotePool
from tuning.trainers.runner import Runner
from tuning.trainers.tune_values import TrialConfig, TrialFailedError, TrialResult

_T = TypeVar("_T")


class PooledTrial(Trainable):  # type: ignore[misc]  # Ray carries no types
    """Runs in the pool whatever trial Tune configures it for, with a `TrialConfig`."""

    def setup(self, config: dict[str, Any]) -> None:
        """Queues the trial."""
        self._runner = Runner(RemotePool.at(TrialConfig.of(config).pool))
        self.reset_config(config)

    def step(self) -> dict[str, Any]:
        """Waits for the next epoch.

        Returns:
            What `TrialResult.for_tune` makes of it.

        Raises:
            TrialFailedError: The trial failed in its trainer.
        """
        _, message = _while_there_is_a_pool(lambda: next(self._messages))
        if isinstance(message, Failed):
            raise TrialFailedError.of_message(message)
        # Only train jobs are queued here, so it is no `Scored`.
        assert isinstance(message, Reported)
        return TrialResult.of_message(message).for_tune()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial; the one before has ended or been stopped by the driver."""
        job = TrainJob(TrialConfig.of(new_config).spec)
        self._messages = _while_there_is_a_pool(lambda: self._runner.run([job]))
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Returns nothing: the trial's weights lie in the study folder."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Has nothing to do: the trainer goes on from the checkpoint in the study folder."""


def _while_there_is_a_pool(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except ray.exceptions.ActorDiedError:
        # Without a pool the study ends, which the driver sees, too. The trial has not failed, so it
        # must not raise: it waits until Ray ends its actor.
        threading.Event().wait()
        raise
