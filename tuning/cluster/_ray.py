"""Private parts of Ray that are used, as of Ray 2.60; where one is missing, it is done without."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray._private import services, worker
from ray._private.authentication import authentication_token_setup
from ray._private.grpc_utils import init_grpc_channel
from ray._private.runtime_env import packaging
from ray.experimental import tqdm_ray

if TYPE_CHECKING:
    import grpc

_NODE_SECONDS = 180.0
"""How long a node of our own may take to register; Ray gives up after 30, with no setting for it.

A raylet registers after its agents have started, which import for seconds: with 18 processes on 2
CPUs that took 31 to 40 s.
"""


def wait_for_own_node() -> None:
    """Lets `ray.init` wait for longer until the node that it started is there.

    `ray._private.node.Node` asks `services.get_node` in a loop, and gives up when 30 s have passed
    and the answer is still a RuntimeError. So the answer itself is made to wait.
    """
    original = getattr(services, "get_node", None)
    # Once per process: a second study would wrap the wrapper. Without the function nothing is
    # changed, and Ray gives up after 30 s as before.
    if original is None or getattr(original, "waits", False):
        return

    def get_node(*arguments: Any, **named: Any) -> Any:
        deadline = time.monotonic() + _NODE_SECONDS
        while True:
            try:
                return original(*arguments, **named)
            except RuntimeError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(0.1)

    get_node.waits = True  # type: ignore[attr-defined]
    services.get_node = get_node


def enable_token() -> None:
    """Lets this process show its token to a cluster, when it has one.

    The token is found where Ray itself looks for it: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH,
    ~/.ray/auth_token. Where RAY_AUTH_MODE is unset, it is set to `token`. Ray does this for
    clusters that it starts, not for those it sends a job to.
    """
    authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


def packed_files(folder: Path, excludes: Sequence[str]) -> list[Path]:
    """Returns the files that Ray sends of a folder: all that is neither excluded nor ignored."""
    found: list[Path] = []
    # Ray's own walk: the size has to be that of what Ray sends, and its rules are its own.
    packaging._dir_travel(
        folder,
        [packaging._get_excludes(folder, list(excludes))],
        lambda path: found.append(path) if path.is_file() else None,
        include_gitignore=True,
    )
    return found


def resolved_address(address: str) -> str | None:
    """Returns HOST:PORT of a cluster's address; None where `auto` finds no trace of a cluster.

    Raises:
        ValueError: It is no address.
        OSError: The host has no known name.
    """
    # `auto` is what a `ray start` on this machine wrote down, which may have been killed since.
    found: str | None = services.canonicalize_bootstrap_address(address.removeprefix("ray://"))
    return found


def grpc_channel(place: str) -> "grpc.Channel":
    """Returns a channel to HOST:PORT, with TLS and token where Ray is told to use them."""
    # Ray's own connections go past proxies, too; one would answer for a head that is not there.
    channel: grpc.Channel = init_grpc_channel(place, [("grpc.enable_http_proxy", 0)])
    return channel


@contextmanager
def printing_by(tell: Callable[[Mapping[str, object]], object]) -> Iterator[None]:
    """Has what Ray would print in this process told to a function instead.

    `ray._private.worker` prints the lines of workers, raylet and autoscaler in one function, from
    threads of its own. There is no setting but to have them not at all, and not for the raylet's.
    """
    original = getattr(worker, "print_worker_logs", None)
    if original is None:  # Another version: it prints as it likes.
        yield
        return

    def print_worker_logs(data: Mapping[str, object], *_: object, **__: object) -> None:
        tell(data)

    worker.print_worker_logs = print_worker_logs
    try:
        yield
    finally:
        worker.print_worker_logs = original


def without_steering(data: Mapping[str, Any]) -> list[str]:
    """Returns the lines of what Ray hands on, without those that it writes for itself."""
    lines: Iterable[str] = data.get("lines", [])
    if data.get("pid") == "autoscaler":
        # The log of its monitor, in which what happens has a mark.
        lines = worker.filter_autoscaler_events(list(lines))
    return [line for line in lines if tqdm_ray.RAY_TQDM_MAGIC not in line]
