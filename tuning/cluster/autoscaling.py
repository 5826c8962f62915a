"""Autoscaling: asks for the nodes that a study lacks, waits for them, releases them at its end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray
from ray.autoscaler.sdk import request_resources

from mtl_core.errors import ConfigError, NotReadyError
from tuning.cluster.planner import Node, plan_trainers
from tuning.cluster.resources import Resources

_LOOK_SECONDS = 2.0


def present_nodes() -> list[Node]:
    """Returns the nodes of the connected cluster."""
    return [
        Node(float(node["Resources"].get("CPU", 0)), float(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]


@contextmanager
def provided_trainers(
    resources: Resources, *, trials: int, tell: Callable[[str], object]
) -> Iterator[int]:
    """Yields how many trainers run side by side in the connected cluster.

    When they do not fit and `resources.wait_s` allows, the nodes are asked for: an autoscaler adds
    them, and without one they may still come. Ray tells nobody how far a cluster can grow, so what
    is asked for is `resources.trainers`. The request is taken back on leaving.

    Args:
        resources: What a trainer takes.
        trials: Trials of the study.
        tell: Called with a line of text while nodes are waited for.

    Raises:
        ConfigError: Not one trainer fits, or fewer than asked for, of a cluster that may not grow.
        NotReadyError: The nodes that were waited for did not come.
    """
    try:
        count = plan_trainers(resources, present_nodes(), trials=trials)
    except ConfigError:
        if not resources.wait_s:
            raise
    else:
        yield count
        return
    wanted = min(resources.trainers or 1, trials)
    try:
        # A bundle per worker, since a bundle has to fit on one node and workers may lie on several.
        request_resources(bundles=[resources.of_worker] * (resources.workers * wanted))
        yield _wait(resources, wanted, tell)
    finally:
        # A request stands until it is taken back, and nodes cost money for as long.
        request_resources(bundles=[])


def _wait(resources: Resources, wanted: int, tell: Callable[[str], object]) -> int:
    """Returns how many of the wanted trainers there are nodes for, at the end of the wait."""
    # With a number of trainers the planner refuses fewer; so its refusal is the sign to go on
    # waiting.
    wanted_only = resources.model_copy(update={"trainers": wanted})
    deadline = time.monotonic() + resources.wait_s
    while time.monotonic() < deadline:
        try:
            return plan_trainers(wanted_only, present_nodes(), trials=wanted)
        except ConfigError:
            plural = "s" if wanted > 1 else ""
            tell(f"waiting for nodes: {wanted} trainer{plural} asked for")
            time.sleep(_LOOK_SECONDS)
    # Spot machines may be out of stock: fewer trainers are better than none.
    any_number = resources.model_copy(update={"trainers": None})
    try:
        return plan_trainers(any_number, present_nodes(), trials=wanted)
    except ConfigError as error:
        # Nothing says that the nodes will not come a minute later.
        raise NotReadyError(f"{error}; none came within {resources.wait_s:g} s") from error
