"""Private parts of Ray Train that are used, as of Ray 2.60."""

import threading
from typing import Any

import ray
from ray.train.torch import TorchTrainer
from ray.train.v2.api import data_parallel_trainer as theirs

_LOOK_SECONDS = 0.2
"""How often a thread that waits for Ray looks whether it is to leave."""


class LeaveError(Exception):
    """The study is being left; nothing is waited for any more."""


def answer(reference: Any, is_leaving: threading.Event) -> Any:
    """Returns the value of an object reference, as `ray.get` does, unless the study is left first.

    `ray.shutdown` frees what a `ray.get` in another thread still waits on, and that thread then
    takes the whole process down (SIGSEGV). So a thread that lives beside the main one waits in
    pieces, and is joined before the shutdown.

    Raises:
        LeaveError: `is_leaving` was set before there was a value.
    """
    # `ray.wait` returns by itself after its timeout, so no thread is ever stuck in it.
    while not ray.wait([reference], timeout=_LOOK_SECONDS)[0]:
        if is_leaving.is_set():
            raise LeaveError
    return ray.get(reference)


class LeavableTrainer(TorchTrainer):  # type: ignore[misc]  # untyped in Ray
    """A TorchTrainer whose `fit` raises a `LeaveError` as soon as the study is left.

    `TorchTrainer.fit` waits for its controller with a `ray.get` that nothing public ends. The
    method below is Ray's own but for that wait, and without the handler of Ctrl-C, which Ray sets
    only in the main thread: trainers run in other ones.
    """

    def __init__(self, *arguments: Any, is_leaving: threading.Event, **named: Any) -> None:
        """Takes what a TorchTrainer takes, and the event that ends `fit`."""
        super().__init__(*arguments, **named)
        self._is_leaving = is_leaving

    def _initialize_and_run_controller(self, **controller: Any) -> Any:
        variables = theirs.get_env_vars_to_propagate()
        variables.setdefault(
            theirs.RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR,
            theirs.DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE,
        )
        # On the node of the driver, and without a CPU: workers need all that the cluster has.
        actor_class = ray.remote(
            num_cpus=0,
            label_selector={ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()},
            runtime_env={"env_vars": variables},
        )(theirs.TrainController)
        actor = actor_class.remote(**controller)
        answer(actor.run.remote(), self._is_leaving)
        return answer(actor.get_result.remote(), self._is_leaving)
