"""Autoscaling: nodes that a cluster may add are counted in, asked for and waited for."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private.state import state
from ray.autoscaler.sdk import request_resources

from mtl_core.errors import ConfigError
from tuning.config import Resources
from tuning.observer import Observer
from tuning.planner import Node, plan_trainers

_LOOK_SECONDS = 2.0


def present_nodes() -> list[Node]:
    """Returns the nodes of the connected cluster."""
    return [
        Node(float(node["Resources"].get("CPU", 0)), float(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]


def addable_nodes() -> list[Node]:
    """Returns all nodes that the cluster's autoscaler may start; none without an autoscaler."""
    config = state.get_cluster_config()
    groups = config.node_group_configs if config is not None else ()
    return [
        Node(float(group.resources.get("CPU", 0)), float(group.resources.get("GPU", 0)))
        for group in groups
        for _ in range(max(0, group.max_count))
    ]


def provide_trainers(resources: Resources, *, trials: int, observer: Observer) -> int:
    """Returns how many trainers run side by side, after the cluster has grown as far as it can.

    Args:
        resources: What a trainer takes.
        trials: Trials still to run.
        observer: Told of the wait.

    Raises:
        ConfigError: Not one trainer fits, or fewer than asked for.
    """
    present, addable = present_nodes(), addable_nodes()
    if not addable:
        return plan_trainers(resources, present, trials=trials)
    # Workers of a node group that run already stand in both lists: the head alone is extra.
    wanted = plan_trainers(resources, [*present[:1], *addable], trials=trials)
    bundle = {"CPU": resources.cpus} | ({"GPU": resources.gpus} if resources.gpus else {})
    request_resources(bundles=[bundle] * (resources.workers * wanted))
    deadline = time.monotonic() + resources.wait_s
    while time.monotonic() < deadline:
        if _fitting(resources, wanted) == wanted:
            return wanted
        observer.stage(f"waiting for nodes: {wanted} trainers asked for")
        time.sleep(_LOOK_SECONDS)
    # Spot machines may be out of stock: fewer trainers are better than none.
    return plan_trainers(resources, present_nodes(), trials=trials)


@contextmanager
def release_at_end() -> Iterator[None]:
    """Takes the request for nodes back on leaving, so that the cluster may shrink again."""
    try:
        yield
    finally:
        if addable_nodes():
            request_resources(bundles=[])


def _fitting(resources: Resources, wanted: int) -> int:
    """Returns how many of the wanted trainers the present nodes hold."""
    some = resources.model_copy(update={"trainers": None})
    try:
        return plan_trainers(some, present_nodes(), trials=wanted)
    except ConfigError:
        return 0
