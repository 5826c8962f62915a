"""The planner: how many trainers the cluster holds, and what to change when it holds none."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf

from mtl_core.errors import ConfigError
from tuning.config import Resources


@dataclass(frozen=True, slots=True)
class Node:
    """What a node offers."""

    cpus: float
    gpus: float


def this_machine() -> Node:
    """Returns what a Ray started on this machine has."""
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager

    # The CPUs this process may use, which in a container are fewer than the machine's.
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = NvidiaGPUAcceleratorManager.get_current_node_num_accelerators()
    return Node(float(cpus or 1), float(gpus))


def plan_trainers(resources: Resources, nodes: Sequence[Node], *, trials: int) -> int:
    """Returns the number of trainers that run side by side.

    Args:
        resources: What a trainer takes.
        nodes: The nodes of the cluster.
        trials: Trials still to run; more trainers would have nothing to do.

    Raises:
        ConfigError: Not one trainer fits, or fewer than asked for; says what would fit.
    """
    slots = sum(_workers_on(node, resources) for node in nodes)
    fitting = slots // resources.workers
    wanted = resources.trainers
    if fitting >= (wanted or 1):
        return max(1, min(wanted or fitting, trials))
    cpus = sum(node.cpus for node in nodes)
    gpus = sum(node.gpus for node in nodes)
    needs = f"{_trainers(wanted or 1)} of {_worker_text(resources)}"
    raise ConfigError(
        f"study.resources: {needs} cannot run here: the cluster has {cpus:g} CPUs and {gpus:g} "
        f"GPUs on {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}; "
        f"{_advice(resources, nodes, slots)}"
    )


def _workers_on(node: Node, resources: Resources) -> int:
    by_cpu = node.cpus / resources.cpus
    by_gpu = node.gpus / resources.gpus if resources.gpus else inf
    return floor(min(by_cpu, by_gpu) + 1e-9)


def _advice(resources: Resources, nodes: Sequence[Node], slots: int) -> str:
    """Says which single change would make the request fit."""
    fitting = slots // resources.workers
    if fitting:
        return f"study.resources.trainers={fitting} would fit"
    if slots:
        return f"study.resources.workers={slots} would fit"
    if resources.gpus and not any(node.gpus for node in nodes):
        return "study.resources.gpus=0 would train on CPUs"
    most = floor(max(node.cpus for node in nodes))
    if resources.cpus > most and not resources.gpus:
        return f"study.resources.cpus={most} would fit"
    return "ask for less a worker"


def _trainers(count: int) -> str:
    return f"{count} {'trainer' if count == 1 else 'trainers'}"


def _worker_text(resources: Resources) -> str:
    workers = f"{resources.workers} {'worker' if resources.workers == 1 else 'workers'}"
    each = f"{resources.cpus:g} {'CPU' if resources.cpus == 1 else 'CPUs'}"
    if resources.gpus:
        each += f" and {resources.gpus:g} GPU{'s' if resources.gpus > 1 else ''}"
    return f"{workers} with {each} each"
