"""Connecting to Ray in the background: what fails is said in one line, what began is ended."""

import threading
import time

import pytest

from mtl_core.errors import ConfigError, TrainingError
from tuning import cluster as module
from tuning.cluster import cluster


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of Ray, in order; connecting takes a moment."""
    found: list[str] = []

    def connect(**options: object) -> None:
        time.sleep(0.2)
        found.append("connected")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(module.ray, "init", connect)
    monkeypatch.setattr(module.ray, "shutdown", lambda: found.append("shut down"))
    return found


def test_other_work_goes_on_while_ray_starts(calls: list[str]) -> None:
    with cluster(None, num_cpus=1, verbose=True) as connected:
        calls.append("worked")
        connected()
        calls.append("searched")
    assert calls == ["worked", "connected", "searched", "shut down"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_ray_that_is_still_starting_is_ended_too(
    calls: list[str], error: type[BaseException]
) -> None:
    with pytest.raises(error), cluster(None, num_cpus=1, verbose=True):
        raise error
    assert calls == ["connected", "shut down"]


def test_a_start_that_never_ends_is_not_waited_for(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    monkeypatch.setattr(module.ray, "init", lambda **_: never.wait())
    monkeypatch.setattr(module, "_START_SECONDS", 0.1)
    with pytest.raises(KeyboardInterrupt), cluster(None, num_cpus=1, verbose=True):
        raise KeyboardInterrupt
    assert calls == []
    never.set()


def test_a_connection_that_is_there_already_is_left_alone(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.ray, "is_initialized", lambda: True)
    with (
        pytest.raises(ConfigError, match=r"connected to Ray already; call ray\.shutdown"),
        cluster(None, num_cpus=1, verbose=True),
    ):
        pass
    assert calls == []


@pytest.mark.parametrize(
    ("address", "raised", "expected", "message"),
    [
        ("there", ConnectionError("no one\nin"), ConfigError, r"^--address there: .* Ray: no one$"),
        ("there", RuntimeError(""), ConfigError, r"^--address there: .* Ray: RuntimeError$"),
        (None, Exception("It timed out."), TrainingError, r"^Ray did not start: It timed out\. On"),
    ],
)
def test_a_failed_start_is_told_when_it_is_waited_for(
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    address: str | None,
    raised: Exception,
    expected: type[Exception],
    message: str,
) -> None:
    def fail(**options: object) -> None:
        raise raised

    monkeypatch.setattr(module.ray, "init", fail)
    with cluster(address, num_cpus=1, verbose=True) as connected:
        with pytest.raises(expected, match=message):
            connected()
        calls.append("told")
    assert calls == ["told", "shut down"]
