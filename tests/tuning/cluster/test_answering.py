import http.server
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from mtl_core.errors import ConfigError, NotReadyError
from tuning.cluster import answering
from tuning.cluster._ray import resolved_address
from tuning.cluster.answering import Address, wait_for_answer
from tuning.cluster.connection import cluster


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gRPC server without services: what a head is as far as the wait can tell."""
    # Ray takes a loopback address for the one that other nodes see, where no test listens.
    monkeypatch.setattr(answering, "resolved_address", lambda text: text)
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def web_page() -> Iterator[str]:
    """A server that listens, but is no Ray."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that is taken and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_head_that_answers_ends_the_wait(head: str) -> None:
    start = time.monotonic()
    wait_for_answer(Address(head, "--address"), lambda: True, seconds=60)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("text", ["203.0.113.5:6379", "ray://203.0.113.5:6379"])
def test_an_address_is_host_and_port(text: str) -> None:
    assert resolved_address(text) == "203.0.113.5:6379"


@pytest.mark.parametrize("there", ["nobody", "web_page"])
def test_where_nobody_answers_the_wait_has_an_end_and_says_who_named_the_address(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    place: str = request.getfixturevalue(there)
    # A proxy would answer for the head.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(NotReadyError) as raised:
        wait_for_answer(Address(place, "RAY_ADDRESS"), lambda: True, seconds=0.5)
    text = str(raised.value)
    assert text.startswith(f"RAY_ADDRESS={place}: no Ray answers at ")
    assert "unset RAY_ADDRESS" in text
    assert "\n" not in text


def test_a_wait_that_nobody_wants_any_more_ends_at_once(nobody: str) -> None:
    start = time.monotonic()
    # Wanted once, then no more: one question is asked and not repeated for the 1,000 seconds.
    wanted = iter([True])
    wait_for_answer(Address(nobody, "--address"), lambda: next(wanted, False), seconds=1000)
    assert next(wanted, None) is None
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://10.0.0.1:8265", r"^--address http://10.0.0.1:8265: .*dashboard.*HOST:PORT"),
        ("nonsense", r"^--address nonsense: not HOST:PORT"),
    ],
)
def test_what_is_no_address_is_refused_at_once(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wait_for_answer(Address(text, "--address"), lambda: True, seconds=1000)


def test_auto_without_a_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(address: str) -> str:
        raise ConnectionError("Could not find any\nrunning Ray instance")

    monkeypatch.setattr(answering, "resolved_address", nothing)
    with pytest.raises(NotReadyError, match=r"^RAY_ADDRESS=auto: no Ray runs on this machine"):
        wait_for_answer(Address("auto", "RAY_ADDRESS"), lambda: True, seconds=1000)


def test_a_study_is_told_of_a_dead_address_of_its_environment(
    nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", nobody)
    monkeypatch.setattr(answering.wait_for_answer, "__kwdefaults__", {"seconds": 0.5})
    with (
        cluster(None, num_cpus=1, verbose=False, tell=print) as connected,
        pytest.raises(NotReadyError, match=rf"^RAY_ADDRESS={nobody}: no Ray answers"),
    ):
        connected()
