"""Connecting to Ray in the background: what fails is said in one line, what began is ended."""

import inspect
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import ray
from ray._private.node import Node

from mtl_core.errors import ConfigError, NotReadyError
from tuning.cluster import _ray
from tuning.cluster import connection as module
from tuning.cluster.connection import cluster


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


def test_other_work_goes_on_while_ray_starts(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_done = threading.Event()

    def connect(**options: object) -> None:
        is_done.wait()
        calls.append("connected")

    monkeypatch.setattr(module.ray, "init", connect)
    with cluster(None, num_cpus=1, verbose=True, tell=print) as connected:
        calls.append("worked")
        is_done.set()
        connected()
        calls.append("searched")
    assert calls == ["worked", "connected", "searched", "shut down"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_ray_that_is_still_starting_is_ended_too(
    calls: list[str], error: type[BaseException]
) -> None:
    with pytest.raises(error), cluster(None, num_cpus=1, verbose=True, tell=print):
        raise error
    assert calls == ["connected", "shut down"]


def test_a_start_that_never_ends_is_not_waited_for(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    monkeypatch.setattr(module.ray, "init", lambda **_: never.wait())
    monkeypatch.setattr(module, "_LEAVE_SECONDS", 0.1)
    with pytest.raises(KeyboardInterrupt), cluster(None, num_cpus=1, verbose=True, tell=print):
        raise KeyboardInterrupt
    assert calls == []
    never.set()
    # What started after all is shut down: here, and not in the test that follows.
    deadline = time.monotonic() + 60
    while calls != ["shut down"]:
        assert time.monotonic() < deadline, calls
        time.sleep(0.01)


def test_a_connection_that_is_there_already_is_left_alone(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.ray, "is_initialized", lambda: True)
    with (
        pytest.raises(ConfigError, match=r"connected to Ray already; call ray\.shutdown"),
        cluster(None, num_cpus=1, verbose=True, tell=print),
    ):
        pass
    assert calls == []


@pytest.mark.parametrize(
    ("address", "raised", "expected", "message"),
    [
        ("there", ConnectionError("no one\nin"), ConfigError, r"^--address there: .* Ray: no one$"),
        ("there", RuntimeError(""), ConfigError, r"^--address there: .* Ray: RuntimeError$"),
        (
            None,
            Exception("It timed out."),
            NotReadyError,
            r"^Ray did not start in 3 tries: It timed out\. On",
        ),
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
    monkeypatch.setattr(module, "wait_for_answer", lambda address, is_wanted: None)
    with cluster(address, num_cpus=1, verbose=True, tell=print) as connected:
        with pytest.raises(expected, match=message):
            connected()
        calls.append("told")
    assert calls[-2:] == ["told", "shut down"]


def test_a_ray_that_fails_twice_is_started_a_third_time(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [TimeoutError("busy"), TimeoutError("busy")]

    def connect(**options: object) -> None:
        calls.append("try")
        if failures:
            raise failures.pop()

    monkeypatch.setattr(module.ray, "init", connect)
    with cluster(None, num_cpus=1, verbose=True, tell=print) as connected:
        connected()
    assert calls == ["try", "shut down", "try", "shut down", "try", "shut down"]


def test_a_given_cluster_is_tried_once(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: object) -> None:
        calls.append("try")
        raise ConnectionError("nobody")

    monkeypatch.setattr(module.ray, "init", fail)
    monkeypatch.setattr(module, "wait_for_answer", lambda address, is_wanted: None)
    with (
        pytest.raises(ConfigError, match="nobody"),
        cluster("there", num_cpus=1, verbose=True, tell=print) as connected,
    ):
        connected()
    assert calls == ["try", "shut down"]


def test_what_a_failed_start_left_is_ended_and_nothing_else(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A stand-in for Ray's own programs: what counts is the folder that they are in.
    home = tmp_path / "ray"
    home.mkdir()
    script = home / "raylet.py"
    script.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(module.ray, "__file__", str(home / "__init__.py"))
    own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    earlier = subprocess.Popen([sys.executable, str(script)])
    left: list[subprocess.Popen[bytes]] = []

    def connect(**options: object) -> None:
        if not left:
            left.append(subprocess.Popen([sys.executable, str(script)]))
            raise TimeoutError("busy")

    monkeypatch.setattr(module.ray, "init", connect)
    try:
        with cluster(None, num_cpus=1, verbose=True, tell=print) as connected:
            connected()
        assert not psutil.pid_exists(left[0].pid)
        left[0].wait()
        assert own.poll() is None
        assert earlier.poll() is None
    finally:
        for process in (own, earlier):
            process.kill()
            process.wait()


def test_a_slow_start_says_what_goes_on(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    is_told = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        is_told.set()

    monkeypatch.setattr(module.ray, "init", lambda **_: is_told.wait())
    monkeypatch.setattr(module, "_SLOW_SECONDS", 0.05)
    monkeypatch.setattr(module.psutil, "getloadavg", lambda: (18.4, 9.0, 3.0))
    monkeypatch.setattr(module.psutil, "cpu_count", lambda: 2)
    with cluster(None, num_cpus=1, verbose=True, tell=tell) as connected:
        connected()
    assert told
    assert all(
        re.fullmatch(r"still starting Ray after \d+ s; load 18 on 2 CPUs", text) for text in told
    )


def test_a_node_that_registers_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of Ray 2.60, whose `Node` asks `services.get_node` until 30 s have passed."""
    assert ray.__version__.startswith("2.60.")
    assert "ray._private.services.get_node(" in inspect.getsource(Node)
    answers = [RuntimeError("no such node"), RuntimeError("no such node"), {"node": 1}]

    def get_node(address: str, node: str) -> object:
        found = answers.pop(0)
        if isinstance(found, RuntimeError):
            raise found
        return found

    monkeypatch.setattr(_ray.services, "get_node", get_node)
    _ray.wait_for_own_node()
    _ray.wait_for_own_node()  # a second study in this process
    assert _ray.services.get_node("address", "node") == {"node": 1}
    assert answers == []
