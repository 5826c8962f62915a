import os
from io import StringIO

import pytest
from joblib.externals.loky.backend import context
from pydantic import ValidationError

from mtl_core.errors import ConfigError
from tuning.cluster.planner import Node, plan_trainers, this_machine
from tuning.cluster.resources import Resources

LAPTOP = [Node(cpus=2, gpus=0)]
SERVER = [Node(cpus=16, gpus=4)]
TWO_SMALL = [Node(cpus=1, gpus=0), Node(cpus=1, gpus=0)]


@pytest.mark.parametrize(
    ("resources", "nodes", "trainers"),
    [
        ({"cpus": 1}, LAPTOP, 2),
        ({"cpus": 2}, LAPTOP, 1),
        ({"workers": 2}, LAPTOP, 1),
        ({"workers": 2}, TWO_SMALL, 1),
        ({"trainers": 1}, LAPTOP, 1),
        ({"cpus": 2}, [Node(3, 0), Node(3, 0)], 2),
        ({"cpus": 1, "gpus": 1}, SERVER, 4),
        ({"cpus": 1, "gpus": 0.1}, [Node(64, 1)], 10),
        ({"cpus": 4, "gpus": 0.5}, SERVER, 4),
        ({"cpus": 1, "gpus": 0.6}, [Node(16, 2)], 2),
        ({"cpus": 1, "gpus": 0.4}, [Node(16, 2)], 4),
        ({"cpus": 1, "gpus": 2}, [Node(16, 3), Node(16, 3)], 2),
        ({"cpus": 2, "gpus": 1}, [*SERVER, *LAPTOP], 4),
        ({"workers": 3, "cpus": 1, "gpus": 1}, SERVER * 2, 2),
    ],
)
def test_as_many_trainers_as_the_cluster_holds(
    resources: dict, nodes: list[Node], trainers: int
) -> None:
    assert plan_trainers(Resources(**resources), nodes, trials=100) == trainers


@pytest.mark.parametrize(("trials", "trainers"), [(0, 1), (1, 1), (3, 3), (9, 4)])
def test_no_more_trainers_than_trials(trials: int, trainers: int) -> None:
    assert plan_trainers(Resources(), [Node(4, 0)], trials=trials) == trainers


@pytest.mark.parametrize(
    ("resources", "nodes", "message"),
    [
        (
            {"workers": 4},
            LAPTOP,
            "study.resources: 1 trainer of 4 workers with 1 CPU each cannot run here: the cluster "
            "has 2 CPUs and 0 GPUs on 1 node; study.resources.workers=2 would fit",
        ),
        (
            {"trainers": 5},
            LAPTOP,
            "study.resources: 5 trainers of 1 worker with 1 CPU each cannot run here: the cluster "
            "has 2 CPUs and 0 GPUs on 1 node; study.resources.trainers=2 would fit",
        ),
        (
            {"cpus": 2},
            TWO_SMALL,
            "study.resources: 1 trainer of 1 worker with 2 CPUs each cannot run here: the cluster "
            "has 2 CPUs and 0 GPUs on 2 nodes; study.resources.cpus=1 would fit",
        ),
        (
            {"gpus": 0.5},
            LAPTOP,
            "study.resources: 1 trainer of 1 worker with 1 CPU and 0.5 GPU each cannot run here: "
            "the cluster has 2 CPUs and 0 GPUs on 1 node; study.resources.gpus=0 would train on "
            "CPUs",
        ),
        (
            {"gpus": 8},
            SERVER,
            "study.resources: 1 trainer of 1 worker with 1 CPU and 8 GPUs each cannot run here: "
            "the cluster has 16 CPUs and 4 GPUs on 1 node; study.resources.gpus=4 would fit",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_what_would(
    resources: dict, nodes: list[Node], message: str
) -> None:
    with pytest.raises(ConfigError, match=r"cannot run here") as error:
        plan_trainers(Resources(**resources), nodes, trials=100)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("resources", "nodes", "advice"),
    [
        ({"workers": 3}, TWO_SMALL, {"workers": 2}),
        ({"trainers": 3, "workers": 2}, [Node(1, 0)], {"workers": 1, "trainers": 1}),
        ({"workers": 2, "cpus": 8}, [Node(4, 0)], {"cpus": 4, "workers": 1}),
        ({"trainers": 4, "gpus": 1}, [Node(8, 2)], {"trainers": 2}),
    ],
)
def test_the_advice_is_taken(resources: dict, nodes: list[Node], advice: dict) -> None:
    words = " and ".join(f"study.resources.{key}={value}" for key, value in advice.items())
    with pytest.raises(ConfigError, match=rf"; {words} would fit$"):
        plan_trainers(Resources(**resources), nodes, trials=9)
    assert plan_trainers(Resources(**{**resources, **advice}), nodes, trials=9) >= 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_this_machine_has_the_cpus_that_the_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert this_machine().cpus == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_this_machine_has_the_cpus_of_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker --cpus 1.5` sets them."""
    monkeypatch.setattr(context, "_cpu_count_affinity", lambda count: count)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    files = {"/sys/fs/cgroup/cpu.max": "150000 100000"}
    monkeypatch.setattr(os.path, "exists", files.__contains__)
    monkeypatch.setattr("builtins.open", lambda name: StringIO(files[name]))
    assert this_machine().cpus == 2


@pytest.mark.parametrize("resources", [{"gpus": 1.5}, {"gpus": 0.5, "workers": 2}])
def test_parts_of_gpus_that_no_worker_can_have(resources: dict) -> None:
    with pytest.raises(ValidationError, match=r"gpus: expected a whole number, or a fraction of"):
        Resources(**resources)
