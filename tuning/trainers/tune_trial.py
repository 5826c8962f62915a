"""A trial as Ray Tune sees it: an actor that hands its recipe to the pool and passes reports on.

It imports neither torch nor transformers, and Tune reuses it for trial after trial. It holds
nothing that is not in the pool: when it dies, Ray starts it anew, and it goes on where it was.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import ray
from ray.tune import Trainable

from tuning.cluster.deaths import GONE
from tuning.trainers._ray_tune import drop_empty
from tuning.trainers.messages import Failed, Reported, TrainJob
from tuning.trainers.remote_pool import RemotePool
from tuning.trainers.runner import Runner
from tuning.trainers.tune_values import TrialConfig, TrialFailure, TrialResult

_T = TypeVar("_T")


class PooledTrial(Trainable):  # type: ignore[misc]  # Ray carries no types
    """Runs in the pool whatever trial Tune configures it for, with a `TrialConfig`."""

    def setup(self, config: dict[str, Any]) -> None:
        """Queues the trial; an actor that was started anew goes on with the one that it had."""
        # The same before and after a death.
        self._name = ray.get_runtime_context().get_actor_id()
        self._pool = RemotePool.at(TrialConfig.of(config).pool)
        self._runner = Runner(self._pool)
        held = _while_there_is_a_pool(lambda: self._pool.held(self._name))
        self._room = self.logdir
        if held is None:
            self._take(config)
        else:
            # `config` is that of its first trial.
            self._messages = self._runner.go_on(*held)

    def step(self) -> dict[str, Any]:
        """Waits for the next report, or for the trial's failure.

        A report may come twice, when the actor died as it passed it on; whoever hears of reports
        knows them by their numbers, since trials repeat them after a restart of the driver, too.

        Returns:
            What `TrialResult.for_tune` or `TrialFailure.for_tune` makes of it.
        """
        _, message = _while_there_is_a_pool(lambda: next(self._messages))
        if isinstance(message, Failed):
            # Not raised: of an error Tune would not say whether it was the trial's own.
            return TrialFailure(message.error).for_tune()
        # Only train jobs are queued here, so it is no `Scored`.
        assert isinstance(message, Reported)
        return TrialResult.of_message(message).for_tune()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial; the one before has ended or been stopped by the driver."""
        # Tune has made a folder for it and gone there. The one before is empty, and its own.
        drop_empty(self._room)
        self._room = self.logdir
        self._take(new_config)
        return True

    def _take(self, config: dict[str, Any]) -> None:
        trial = TrialConfig.of(config)
        job = TrainJob(trial.spec, trial.delivered)
        _while_there_is_a_pool(lambda: self._pool.hold(self._name, job))
        self._messages = self._runner.go_on(job.spec.key, 0)

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Returns nothing: the trial's weights lie in the study folder."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Has nothing to do: the trainer goes on from the checkpoint in the study folder."""


def _while_there_is_a_pool(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except GONE:
        # Without a pool the study ends, which the driver sees, too. The trial has not failed, so it
        # must not raise: it waits until Ray ends its actor.
        threading.Event().wait()
        raise
