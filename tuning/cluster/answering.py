"""Whether a Ray answers at an address, before anything waits for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import grpc

from mtl_core.errors import ConfigError, NotReadyError
from tuning.cluster._ray import grpc_channel, resolved_address

_ANSWER_SECONDS = 30.0
"""How long nobody may answer: enough for a head that is just starting."""

_LOOK_SECONDS = 0.5
"""How long one question waits, and with it the look at whether the answer is still wanted."""

_METHOD = "/grpc.health.v1.Health/Check"
_NO_ANSWER = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a cluster, and who named it.

    Attributes:
        text: As `ray.init` takes it: HOST:PORT, `ray://HOST:PORT`, or `auto`.
        named_by: What the user wrote it into, `--address` or `RAY_ADDRESS`.
    """

    text: str
    named_by: str

    def __str__(self) -> str:
        joint = " " if self.named_by.startswith("-") else "="
        return f"{self.named_by}{joint}{self.text}"

    @property
    def instead(self) -> str:
        """What to do to have a Ray of one's own."""
        without = "leave it out" if self.named_by.startswith("-") else f"unset {self.named_by}"
        return f"start a cluster with `ray start --head`, or {without} for a Ray of this machine"


def wait_for_answer(
    address: Address, is_wanted: Callable[[], bool], *, seconds: float = _ANSWER_SECONDS
) -> None:
    """Waits until somebody who speaks gRPC, as Ray's head does, answers at the address.

    `ray.init` itself cannot be told to stop: where nobody answers it tries for ten minutes.

    Args:
        address: The address.
        is_wanted: Asked again and again; the wait is over when it says no.
        seconds: How long to wait.

    Raises:
        ConfigError: The address is none.
        NotReadyError: Nobody answered in time.
    """
    place = _place(address)
    if place is None:
        return  # A Ray that `ray.init` starts.
    deadline = time.monotonic() + seconds
    with grpc_channel(place) as channel:
        # Any method will do: who speaks gRPC and does not know it says so.
        ask = channel.unary_unary(_METHOD)
        while is_wanted():
            try:
                ask(b"", timeout=_LOOK_SECONDS, wait_for_ready=True)
            except grpc.RpcError as error:
                if error.code() not in _NO_ANSWER:
                    return
                if time.monotonic() >= deadline:
                    raise NotReadyError(
                        f"{address}: no Ray answers at {place} within {seconds:.0f} s; "
                        f"{address.instead}"
                    ) from error
            else:
                return


def _place(address: Address) -> str | None:
    """Returns HOST:PORT of an address; None where it means no cluster that is there already."""
    if urlsplit(address.text).scheme in {"http", "https"}:
        raise ConfigError(
            f"{address}: this is the address of a dashboard, which only `mtl submit` takes; "
            f"a study needs HOST:PORT of the head, such as 10.0.0.1:6379, or auto"
        )
    try:
        return resolved_address(address.text)
    except ConnectionError as error:
        text = f"{address}: no Ray runs on this machine; {address.instead}"
        raise NotReadyError(text) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{address}: not HOST:PORT, ray://HOST:PORT or auto: {error}") from error
