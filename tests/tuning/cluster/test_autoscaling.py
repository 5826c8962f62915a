"""A cluster that grows, or does not: nodes are asked for, waited for and released."""

import pytest

from mtl_core.errors import ConfigError, NotReadyError
from tuning.cluster import autoscaling
from tuning.cluster.autoscaling import provided_trainers
from tuning.cluster.planner import Node
from tuning.cluster.resources import Resources

HEAD, WORKER = Node(cpus=8, gpus=0), Node(cpus=4, gpus=1)


class Cluster:
    """A head, and workers that come one at each look once they are asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, limit: int) -> None:
        self.requests: list[list[dict[str, float]]] = []
        self.seconds = 0.0
        self._workers, self._limit = 0, limit
        monkeypatch.setattr(autoscaling, "request_resources", self._request)
        monkeypatch.setattr(autoscaling, "present_nodes", self._nodes)
        monkeypatch.setattr(autoscaling.time, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(autoscaling.time, "sleep", self._sleep)

    def _request(self, *, bundles: list[dict[str, float]]) -> None:
        self.requests.append(bundles)

    def _nodes(self) -> list[Node]:
        return [WORKER] * self._workers + [HEAD]

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        wanted = len(self.requests[-1]) if self.requests else 0
        self._workers = min(self._workers + 1, self._limit, wanted)


def provided(resources: Resources, stages: list[str] | None = None) -> int:
    tell = [].append if stages is None else stages.append
    with provided_trainers(resources, trials=10, tell=tell) as count:
        return count


def test_what_fits_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, limit=4)
    assert provided(Resources(wait_s=900)) == 8
    assert cluster.requests == []


def test_nodes_are_asked_for_waited_for_and_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, stages = Cluster(monkeypatch, limit=4), list[str]()
    assert provided(Resources(gpus=1, trainers=3, wait_s=900), stages) == 3
    assert cluster.requests == [[{"CPU": 1, "GPU": 1}] * 3, []]
    assert stages == ["waiting for nodes: 3 trainers asked for"] * 3


def test_fewer_trainers_are_better_than_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, limit=2)
    assert provided(Resources(gpus=1, trainers=3, wait_s=60)) == 2
    assert cluster.seconds == 60


@pytest.mark.parametrize("wait_s", [0, 60])
def test_no_trainer_at_all_is_refused_at_the_end_of_the_wait(
    monkeypatch: pytest.MonkeyPatch, wait_s: float
) -> None:
    cluster = Cluster(monkeypatch, limit=0)
    kind = NotReadyError if wait_s else ConfigError
    with pytest.raises(kind, match=r"^study\.resources: .* cannot run here") as refused:
        provided(Resources(gpus=1, trainers=3, wait_s=wait_s))
    assert ("none came within 60 s" in str(refused.value)) == (wait_s == 60)
    assert cluster.seconds == wait_s
    assert cluster.requests == ([[{"CPU": 1, "GPU": 1}] * 3, []] if wait_s else [])


def test_an_interrupted_wait_takes_the_request_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, limit=0)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(autoscaling.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        provided(Resources(gpus=1, trainers=3, wait_s=60))
    assert cluster.requests[-1] == []
