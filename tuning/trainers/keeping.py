"""Keeps a trainer running: a thread of the driver starts another one when it ends."""

import logging
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.exceptions import TrainingFailedError

from mtl_core.reasons import reason_of
from tuning.cluster.deaths import GONE
from tuning.cluster.resources import Resources
from tuning.trainers._ray_train import LeavableTrainer, LeaveError, answer

logger = logging.getLogger(__name__)

_MOST_FAILURES = 3
"""Deaths of workers after which a TorchTrainer ends; another takes its place if it ever worked."""

_MOST_FAILED_STARTS = 10
"""Starts of a worker group, of a minute each, that may fail for want of a node."""


class Fitting(Protocol):
    """A trainer that works until its `fit` returns."""

    def fit(self) -> object:
        """Works until the pool has no more jobs for it."""


def keep_training(
    pool: Any, number: int, build: Callable[[], Fitting], is_leaving: threading.Event
) -> None:
    """Runs one trainer, and another one after each that ended, while it is wanted.

    A trainer whose workers never started is retired with the reason. The thread that runs this
    waits for Ray through `answer` alone: it has to be able to leave before Ray is shut down.

    Args:
        pool: The pool's actor.
        number: Number of the trainer.
        build: Makes a trainer; `fit` raises a `LeaveError` once `is_leaving` is set.
        is_leaving: Set when the study is being left.
    """
    deaths = 0
    try:
        while answer(pool.is_wanted.remote(number), is_leaving):
            starts = answer(pool.starts.remote(number), is_leaving)
            try:
                build().fit()
            except TrainingFailedError:
                # Workers that started were able to work, so another trainer may be, too; the pool
                # counts deaths. Where none started, another one would fail for the same reason.
                if answer(pool.starts.remote(number), is_leaving) == starts:
                    raise
            except GONE:
                # Its controller was killed, and its workers went with it. That may happen to one
                # before its workers start, too; but not again and again.
                has_worked = answer(pool.starts.remote(number), is_leaving) > starts
                deaths = 0 if has_worked else deaths + 1
                if deaths > _MOST_FAILURES:
                    raise
    except LeaveError:
        return
    except BaseException as error:
        logger.debug("trainer %d ended", number, exc_info=True)
        # Whatever it was: an error that only ends this thread would leave the study waiting for
        # ever.
        pool.retire.remote(number, f"it did not start: {reason_of(error)}")


def build_trainer(
    work: Callable[[], None],
    *,
    resources: Resources,
    name: str,
    scratch: Path,
    is_leaving: threading.Event,
) -> LeavableTrainer:
    """Returns a TorchTrainer whose workers all run `work`.

    Args:
        work: Returns when there is no more to do.
        resources: What the trainer takes.
        name: Begins the name of the trainer's folder in `scratch`.
        scratch: Folder for what Ray writes of its own.
        is_leaving: Ends the trainer's `fit`.
    """
    return LeavableTrainer(
        work,
        is_leaving=is_leaving,
        scaling_config=ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.gpus > 0,
            resources_per_worker=resources.of_worker,
        ),
        run_config=RunConfig(
            # Never the name of an earlier one: Train would take that for a run to go on with.
            name=f"{name}-{uuid.uuid4().hex[:8]}",
            storage_path=str(scratch),
            # Ray shows every GPU to a worker that asks for none, and Train looks at them at once.
            worker_runtime_env={} if resources.gpus else {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}},
            # The pool counts attempts per job, which Ray Train knows nothing of.
            failure_config=FailureConfig(
                max_failures=_MOST_FAILURES, controller_failure_limit=_MOST_FAILED_STARTS
            ),
        ),
    )
