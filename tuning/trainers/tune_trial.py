"""A trial as Ray Tune sees it: an actor that hands its recipe to the pool and passes reports on.

It imports neither torch nor transformers, and Tune reuses it for trial after trial.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.tune import Trainable

from mtl_core.training.report import EpochReport
from tuning.cluster.asking import ask
from tuning.trainers.messages import Failed, Message, Reported, TrialJob


class TrialFailedError(Exception):
    """A trial raised in its trainer; the text is the trainer's traceback."""


class PooledTrial(Trainable):  # type: ignore[misc]  # Ray carries no types
    """Runs in the pool whatever trial Tune configures it for.

    The configuration: "number", "overrides", "decided" (from the searcher), "pool" (the actor's
    name), "namespace" and "trials" (the folder of the trials' folders).
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Queues the trial."""
        self._pool = ray.get_actor(config["pool"], namespace=config["namespace"])
        self._submit(config)

    def step(self) -> dict[str, Any]:
        """Waits for the next epoch.

        Returns:
            "progress", "combined", "report" (JSON line), "finished" and Tune's own "done".

        Raises:
            TrialFailedError: The trial failed in its trainer.
        """
        message = self._next_message()
        if isinstance(message, Failed):
            raise TrialFailedError(message.error)
        assert isinstance(message, Reported)
        report = EpochReport.from_json(message.line)
        return {
            "progress": report.progress,
            "combined": report.combined,
            "report": message.line,
            "finished": message.is_last,
            "done": message.is_last,
        }

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial; the one before has ended or been stopped by the driver."""
        self._submit(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Returns where the trial stands; its weights lie in the study folder."""
        return {"number": self._number}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Has nothing to do: the trainer goes on from the checkpoint in the study folder."""

    def _next_message(self) -> Message:
        message = self._ask(lambda: self._pool.message.remote(self._number, self._num_received))
        self._num_received += 1
        return message  # type: ignore[no-any-return]

    def _submit(self, config: Mapping[str, Any]) -> None:
        self._number = int(config["number"])
        self._num_received = 0
        folder = Path(config["trials"]) / f"{self._number:04d}"
        job = TrialJob(self._number, config["overrides"], folder / "checkpoint")
        self._ask(lambda: self._pool.submit.remote(job))

    @staticmethod
    def _ask(call: Callable[[], Any]) -> Any:
        try:
            return ask(call)
        except ray.exceptions.ActorDiedError:
            # Without a pool the study ends, which the driver sees, too; the trial has not failed.
            threading.Event().wait()
            raise
