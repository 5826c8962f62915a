"""Warm trainers: long-lived TorchTrainers whose workers take job after job from the pool."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray

from mtl_core.errors import TrainingError
from tuning.cluster.deaths import AWAY, GONE, KEPT, LOST, how
from tuning.cluster.own_ray import OwnRay
from tuning.cluster.resources import Resources
from tuning.trainers.keeping import build_trainer, keep_training
from tuning.trainers.messages import Job, Message, PoolAddress, TrainerStatus
from tuning.trainers.pool import TrialPool
from tuning.trainers.remote_pool import RemotePool
from tuning.trainers.runner import Runner
from tuning.trainers.worker import WorkerSettings, work

_END_SECONDS = 20.0
"""How long trainers may take to end before the cluster ends them."""

_LEAVE_SECONDS = 30.0
"""How long the threads that keep trainers may take to leave; on an idle machine it is 0.2."""


class Trainers:
    """The running trainers and the pool they take jobs from."""

    def __init__(self, pool: Any, address: PoolAddress) -> None:
        self.pool = pool
        self.address = address
        # Asked once: the call waits in the pool for a failure, and `check` only looks at its
        # answer.
        self._failure = pool.failure.remote()
        self._asked: Any = None
        self._ray = OwnRay()

    def check(self) -> None:
        """Looks whether a trainer can still work, without waiting.

        Raises:
            TrainingError: None can.
        """
        # First: without these nothing else answers any more.
        self._ray.check()
        failed, _ = ray.wait([self._failure], timeout=0)
        if failed:
            try:
                reason = ray.get(self._failure)
            except AWAY:
                self._failure = self.pool.failure.remote()  # The network was away for a moment.
                return
            except GONE as error:
                reason = f"the process that hands out trials {how(error)}"
            raise TrainingError(f"no trainer can work any more: {reason}; {KEPT}")

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
        except LOST:  # `check` tells of a pool that is gone.
            return None
        return found

    def stop(self, key: str, delivered: int) -> None:
        """Takes a run from its trainer, without waiting; see `TrialPool.stop`."""
        self.pool.stop.remote(key, delivered)

    def run(
        self,
        jobs: Sequence[Job],
        *,
        look: Callable[[Sequence[TrainerStatus]], object] | None = None,
    ) -> Iterator[tuple[str, Message]]:
        """Has jobs done that are no trials of the search; see `Runner.run`.

        Args:
            jobs: Of one study, each with a run id of its own.
            look: Called about every second of waiting, with what each trainer does.

        Raises:
            TrainingError: No trainer can work.
        """

        def check() -> None:
            self.check()
            if look is not None and (found := self.statuses()) is not None:
                look(found)

        return Runner(RemotePool(self.pool), check=check).run(jobs)


@contextmanager
def start_trainers(
    settings: WorkerSettings,
    resources: Resources,
    *,
    max_attempts: int,
    count: int,
    scratch: Path,
    report_timeout_s: float | None = None,
) -> Iterator[Trainers]:
    """Starts trainers in the connected cluster; ends them on leaving.

    Args:
        settings: What their workers need to know.
        resources: What each takes.
        max_attempts: How often a job is started whose worker died, first start included.
        count: Trainers side by side.
        scratch: Folder for what Ray writes of its own.
        report_timeout_s: After how long without a report a worker hangs; None = never.
    """
    address = PoolAddress(f"mtl-pool-{uuid.uuid4().hex}", ray.get_runtime_context().namespace)
    timeouts = {"report_timeout_s": report_timeout_s, "trial_timeout_s": settings.trial_timeout_s}
    pool = _start_pool(address.name, trainers=count, max_attempts=max_attempts, timeouts=timeouts)
    is_leaving = threading.Event()
    build = partial(build_trainer, resources=resources, scratch=scratch, is_leaving=is_leaving)
    # A thread each: `fit` returns when its trainer has ended.
    threads = []
    for number in range(count):
        job = partial(work, settings, address, number)
        arguments = (pool, number, partial(build, job, name=f"trainer-{number}"), is_leaving)
        threads.append(threading.Thread(target=keep_training, args=arguments, daemon=True))
        threads[-1].start()
    try:
        yield Trainers(pool, address)
        ray.get(pool.close.remote())
        _join(threads, time.monotonic() + _END_SECONDS)
    finally:
        # After an error nobody waits for trainers in the middle of an epoch: they end with the
        # connection. The threads have to be gone before it is (see `answer`).
        is_leaving.set()
        _join(threads, time.monotonic() + _LEAVE_SECONDS)


def _start_pool(name: str, **settings: Any) -> Any:
    """Starts the actor of a `TrialPool` with these settings."""
    # Beside the driver: when the driver's node is gone, so is the study.
    driver = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    # Each trial and each trainer has a call that waits in the actor; Ray's default of 1,000 at a
    # time could be used up by calls that wait for one that would not get in.
    actor = ray.remote(num_cpus=0)(TrialPool).options(
        name=name, scheduling_strategy=driver, max_concurrency=10_000
    )
    return actor.remote(**settings)


def _join(threads: Sequence[threading.Thread], deadline: float) -> None:
    for thread in threads:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
