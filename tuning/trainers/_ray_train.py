"""Private parts of Ray Train that are used, as of Ray 2.60."""

import threading
import uuid
from contextlib import suppress
from functools import partial
from typing import Any

import ray
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.train.v2.api import data_parallel_trainer as theirs
from ray.util.placement_group import (
    PlacementGroup,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

_LOOK_SECONDS = 0.2
"""How often a thread that waits for Ray looks whether it is to leave."""


_LEFT_OUT = (
    # Hands out data of Ray Data, which nothing here reads.
    DatasetsCallback,
    # Frees what a dead controller has reserved, if the dashboard says that it is dead; a Ray of
    # one's own has none. `fit` does it.
    PlacementGroupCleanerCallback,
)
"""Parts of Train that start a process beside each trainer, of half a second to some of a CPU."""


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


class TrainController(theirs.TrainController):  # type: ignore[misc]  # untyped in Ray
    """Ray's controller of a trainer, whose placement groups have names."""

    def __init__(self, groups: str, **named: Any) -> None:
        """Takes what the names of its placement groups begin with, and what Ray's own takes."""
        # In this process there is no other controller.
        worker_group.placement_group = partial(_named_group, groups)
        super().__init__(**named)


def _named_group(begin: str, *arguments: Any, **named: Any) -> PlacementGroup:
    # A name of its own for each: that of a group that is being removed is taken for a moment.
    return placement_group(*arguments, name=f"{begin}/{uuid.uuid4().hex}", **named)


def remove_groups(begin: str) -> None:
    """Removes the placement groups whose names begin with a text.

    Ray keeps those of an actor that died until its job ends.
    """
    for known in placement_group_table().values():
        if known["name"].startswith(begin) and known["state"] != "REMOVED":
            with suppress(ValueError):  # It has gone by itself meanwhile.
                remove_placement_group(get_placement_group(known["name"]))


class LeavableTrainer(TorchTrainer):  # type: ignore[misc]  # untyped in Ray
    """A TorchTrainer whose `fit` raises a `LeaveError` as soon as the study is left.

    `TorchTrainer.fit` waits for its controller with a `ray.get` that nothing public ends. The
    last method is Ray's own but for that wait, and without the handler of Ctrl-C, which Ray sets
    only in the main thread: trainers run in other ones. What a controller that was killed has
    reserved is free again when `fit` has raised: else another trainer would wait for it for ever.
    """

    def __init__(self, *arguments: Any, is_leaving: threading.Event, **named: Any) -> None:
        """Takes what a TorchTrainer takes, and the event that ends `fit`."""
        super().__init__(*arguments, **named)
        self._is_leaving = is_leaving
        self._groups = f"{self.run_config.name}/"

    def fit(self) -> Any:
        """Works until all workers have returned; see `TorchTrainer.fit`."""
        try:
            return super().fit()
        except LeaveError:
            raise  # All that was reserved ends with the connection.
        except Exception:
            # In a task, as this thread waits for Ray through `answer` alone.
            answer(ray.remote(num_cpus=0)(remove_groups).remote(self._groups), self._is_leaving)
            raise

    def _create_default_callbacks(self) -> list[Any]:
        found = super()._create_default_callbacks()
        return [one for one in found if not isinstance(one, _LEFT_OUT)]

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
        )(TrainController)
        actor = actor_class.remote(self._groups, **controller)
        answer(actor.run.remote(), self._is_leaving)
        return answer(actor.get_result.remote(), self._is_leaving)
