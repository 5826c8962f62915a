"""The planner: how many trainers fit into the cluster, and what to change when none does."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from mtl_core.errors import ConfigError
from tuning.cluster.resources import Resources


@dataclass(frozen=True, slots=True)
class Node:
    """What a node offers."""

    cpus: float
    gpus: float


def this_machine() -> Node:
    """Returns what a Ray started on this machine has."""
    import joblib
    import torch

    # The CPUs this process may use, which in a container are fewer than the machine's.
    return Node(float(joblib.cpu_count()), float(torch.cuda.device_count()))


def plan_trainers(resources: Resources, nodes: Sequence[Node], *, trials: int) -> int:
    """Returns the number of trainers that run side by side.

    Args:
        resources: What a trainer takes.
        nodes: The nodes of the cluster.
        trials: Trials of the study; more trainers would have nothing to do.

    Raises:
        ConfigError: Not one trainer fits, or fewer than asked for; says what would fit.
    """
    wanted = resources.trainers
    if _fits(nodes, resources):
        return max(1, min(wanted or _slots(nodes, resources) // resources.workers, trials))
    cpus = sum(node.cpus for node in nodes)
    gpus = sum(node.gpus for node in nodes)
    needs = f"{_trainers(wanted or 1)} of {_worker_text(resources)}"
    raise ConfigError(
        f"study.resources: {needs} cannot run here: the cluster has {cpus:g} CPUs and {gpus:g} "
        f"GPUs on {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}; "
        f"{_advice(resources, nodes)}"
    )


def _workers_on(node: Node, resources: Resources) -> int:
    # The small number makes up for the error of a division.
    by_cpu = floor(node.cpus / resources.cpus + 1e-9)
    if not resources.gpus:
        return by_cpu
    if resources.gpus < 1:  # A worker's share lies on one GPU.
        return min(by_cpu, floor(node.gpus) * floor(1 / resources.gpus + 1e-9))
    return min(by_cpu, floor(node.gpus / resources.gpus))


def _advice(resources: Resources, nodes: Sequence[Node]) -> str:
    """Says what change would make the request fit, the smallest that does."""
    slots = _slots(nodes, resources)
    most = floor(max(node.cpus for node in nodes))
    one = {"trainers": 1} if resources.trainers else {}
    # From what changes the study least to what changes it most; the first that fits is told.
    changes: list[dict[str, float]] = [
        {"trainers": slots // resources.workers},
        {"workers": slots},
        {"workers": slots, **one},
        {"gpus": floor(max(node.gpus for node in nodes))},
        {"cpus": most},
        {"cpus": most, "workers": 1, **one},
    ]
    for change in changes:
        is_allowed = all(value >= 1 for key, value in change.items() if key != "gpus")
        changed = resources.model_copy(update=change)
        if is_allowed and changed != resources and _fits(nodes, changed):
            words = " and ".join(f"study.resources.{key}={n:g}" for key, n in change.items())
            return f"{words} would {'train on CPUs' if change.get('gpus') == 0 else 'fit'}"
    return "ask for less per worker"


def _fits(nodes: Sequence[Node], resources: Resources) -> bool:
    return _slots(nodes, resources) // resources.workers >= (resources.trainers or 1)


def _slots(nodes: Sequence[Node], resources: Resources) -> int:
    """Returns how many workers the nodes hold."""
    # Per node: what is left over on one cannot be put together with what is left over on another.
    return sum(_workers_on(node, resources) for node in nodes)


def _trainers(count: int) -> str:
    return f"{count} {'trainer' if count == 1 else 'trainers'}"


def _worker_text(resources: Resources) -> str:
    workers = f"{resources.workers} {'worker' if resources.workers == 1 else 'workers'}"
    each = f"{resources.cpus:g} {'CPU' if resources.cpus == 1 else 'CPUs'}"
    if resources.gpus:
        each += f" and {resources.gpus:g} GPU{'s' if resources.gpus > 1 else ''}"
    return f"{workers} with {each} each"
