"""Warm trainers: long-lived TorchTrainers whose workers take job after job from the pool."""

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.exceptions import TrainingFailedError

from mtl_core.errors import TrainingError
from tuning.cluster.asking import AGAIN_SECONDS, ask
from tuning.study.config import Study
from tuning.trainers._ray_train import LeavableTrainer, LeaveError, answer
from tuning.trainers.messages import Message, PoolAddress, ScoreJob, TrainerStatus
from tuning.trainers.pool import TrialPool
from tuning.trainers.worker import WorkerSettings, work

logger = logging.getLogger(__name__)

_END_SECONDS = 20.0
"""How long trainers may take to end before the cluster ends them."""

_LEAVE_SECONDS = 30.0
"""How long the threads that keep trainers may take to leave; on an idle machine it is 0.2."""

_MOST_FAILURES = 3
"""Deaths of workers after which a TorchTrainer ends; another takes its place if it ever worked."""

_MOST_FAILED_STARTS = 10
"""Starts of a worker group, of a minute each, that may fail for want of a node."""


class Trainers:
    """The running trainers and the pool they take jobs from."""

    def __init__(self, pool: Any, address: PoolAddress) -> None:
        self.pool = pool
        self.address = address
        self._failure = pool.failure.remote()
        self._asked: Any = None

    def check(self) -> None:
        """Looks whether a trainer can still work, without waiting.

        Raises:
            TrainingError: None can.
        """
        failed, _ = ray.wait([self._failure], timeout=0)
        if failed:
            try:
                reason = ray.get(self._failure)
            except ray.exceptions.ActorUnavailableError:
                self._failure = self.pool.failure.remote()  # The network was away for a moment.
                return
            except ray.exceptions.RayActorError:
                reason = "the process that hands out trials ended"
            raise TrainingError(
                f"no trainer can work any more: {reason}; the trials that are not done are kept, "
                "and the same command goes on"
            )

    def statuses(self) -> Sequence[TrainerStatus] | None:
        """Returns what each trainer does, as asked for by the call before; never waits.

        None while there is no answer yet.
        """
        asked, answered = self._asked, False
        if asked is not None:
            answered = bool(ray.wait([asked], timeout=0)[0])
        if asked is None or answered:
            self._asked = self.pool.statuses.remote()
        if not answered:
            return None
        try:
            found: Sequence[TrainerStatus] = ray.get(asked)
        except ray.exceptions.RayActorError:  # `check` tells of a pool that is gone.
            return None
        return found

    def stop(self, run_id: str) -> None:
        """Ends a trial that the scheduler does not want any more, without waiting."""
        self.pool.stop.remote(run_id)

    def score(self, job: ScoreJob) -> Message:
        """Does a score job and returns what came out.

        Raises:
            TrainingError: No trainer can work.
        """
        ask(lambda: self.pool.submit.remote(job))
        while True:
            coming = self.pool.message.remote(job.spec.id, 0)
            ray.wait([coming, self._failure])
            self.check()
            try:
                message: Message = ray.get(coming)
            except ray.exceptions.ActorUnavailableError:  # The network was away for a moment.
                time.sleep(AGAIN_SECONDS)
            else:
                return message


@contextmanager
def start_trainers(
    study: Study, run: Mapping[str, object], *, count: int, scratch: Path
) -> Iterator[Trainers]:
    """Starts the trainers of a study in the connected cluster; ends them on leaving.

    Args:
        study: The `study` section.
        run: The resolved `run` section as plain data.
        count: Trainers side by side.
        scratch: Folder for what Ray writes of its own.
    """
    address = PoolAddress(f"mtl-pool-{uuid.uuid4().hex}", ray.get_runtime_context().namespace)
    # Beside the driver: when the driver's node is gone, so is the study.
    driver = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    pool = (
        ray.remote(num_cpus=0)(TrialPool)
        .options(name=address.name, scheduling_strategy=driver, max_concurrency=10_000)
        .remote(max_attempts=study.max_attempts, trainers=count)
    )
    is_leaving = threading.Event()
    threads = [
        threading.Thread(
            target=_keep_training,
            args=(
                pool,
                study,
                _worker_settings(study, run, number, address),
                scratch,
                is_leaving,
            ),
            daemon=True,
        )
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield Trainers(pool, address)
        ray.get(pool.close.remote())
        _join(threads, time.monotonic() + _END_SECONDS)
    finally:
        # After an error nobody waits for trainers in the middle of an epoch: they end with the
        # connection. The threads have to be gone before it is (see `answer`).
        is_leaving.set()
        _join(threads, time.monotonic() + _LEAVE_SECONDS)


def _join(threads: Sequence[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))


def _worker_settings(
    study: Study, run: Mapping[str, object], number: int, pool: PoolAddress
) -> WorkerSettings:
    return WorkerSettings(
        trainer=number,
        pool=pool,
        run=run,
        objective=study.objective,
        threads=study.resources.cpus,
        memory_growth_bytes=study.memory_growth_gib * 2**30,
        is_fresh=study.isolation == "fresh",
    )


def _keep_training(
    pool: Any, study: Study, settings: WorkerSettings, scratch: Path, is_leaving: threading.Event
) -> None:
    """Runs one trainer, and another one after each that ended, while it is wanted."""
    number = settings.trainer
    try:
        while answer(pool.is_wanted.remote(number), is_leaving):
            starts = answer(pool.starts.remote(number), is_leaving)
            name = f"trainer-{number}-{uuid.uuid4().hex[:8]}"
            try:
                _build_trainer(study, settings, scratch, name, is_leaving).fit()
            except TrainingFailedError:
                if answer(pool.starts.remote(number), is_leaving) == starts:
                    raise
    except LeaveError:
        return
    except BaseException as error:
        logger.debug("trainer %d ended", number, exc_info=True)
        pool.retire.remote(number, f"it did not start: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """Returns what an error says in one line: the last one of a traceback."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), repr(error))


def _build_trainer(
    study: Study, settings: WorkerSettings, scratch: Path, name: str, is_leaving: threading.Event
) -> LeavableTrainer:
    resources = study.resources
    return LeavableTrainer(
        partial(work, settings),
        is_leaving=is_leaving,
        scaling_config=ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.gpus > 0,
            resources_per_worker={"CPU": resources.cpus}
            | ({"GPU": resources.gpus} if resources.gpus else {}),
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(scratch),
            # Ray shows every GPU to a worker that asks for none, and Train looks at them at once.
            worker_runtime_env={} if resources.gpus else {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}},
            # The pool counts attempts per trial, which Ray Train knows nothing of.
            failure_config=FailureConfig(
                max_failures=_MOST_FAILURES, controller_failure_limit=_MOST_FAILED_STARTS
            ),
        ),
    )
