"""A trial as Ray Tune sees it: an actor that hands its recipe to the pool and passes reports on.

It imports neither torch nor transformers, and Tune reuses it for trial after trial.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.tune import Trainable

from tuning.cluster.asking import ask
from tuning.trainers.messages import Failed, Message, Reported, TrainJob
from tuning.trainers.tune_values import TrialConfig, TrialFailedError, TrialResult


class PooledTrial(Trainable):  # type: ignore[misc]  # Ray carries no types
    """Runs in the pool whatever trial Tune configures it for, with a `TrialConfig`."""

    def setup(self, config: dict[str, Any]) -> None:
        """Queues the trial."""
        pool = TrialConfig.of(config).pool
        self._pool = ray.get_actor(pool.name, namespace=pool.namespace)
        self._submit(config)

    def step(self) -> dict[str, Any]:
        """Waits for the next epoch.

        Returns:
            What `TrialResult.for_tune` makes of it.

        Raises:
            TrialFailedError: The trial failed in its trainer.
        """
        message = self._next_message()
        if isinstance(message, Failed):
            raise TrialFailedError.of_message(message)
        assert isinstance(message, Reported)
        return TrialResult.of_message(message).for_tune()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial; the one before has ended or been stopped by the driver."""
        self._submit(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Returns where the trial stands; its weights lie in the study folder."""
        return {"id": self._id}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Has nothing to do: the trainer goes on from the checkpoint in the study folder."""

    def _next_message(self) -> Message:
        message = self._ask(lambda: self._pool.message.remote(self._id, self._num_received))
        self._num_received += 1
        return message  # type: ignore[no-any-return]

    def _submit(self, config: Mapping[str, Any]) -> None:
        job = TrainJob(TrialConfig.of(config).spec)
        self._id = job.spec.id
        self._num_received = 0
        self._ask(lambda: self._pool.submit.remote(job))

    @staticmethod
    def _ask(call: Callable[[], Any]) -> Any:
        try:
            return ask(call)
        except ray.exceptions.ActorDiedError:
            # Without a pool the study ends, which the driver sees, too; the trial has not failed.
            threading.Event().wait()
            raise
