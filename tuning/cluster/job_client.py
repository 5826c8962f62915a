"""Connects to the job server of a cluster's head; says in one line why that fails."""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.reasons import reason_of

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")


def connect(address: str | None) -> "JobSubmissionClient":
    """Opens the connection to the head's job server.

    Args:
        address: URL of the head's dashboard; None takes RAY_ADDRESS or the cluster that runs here.

    Raises:
        ConfigError: The cluster wants a token, `address` has no effect, or the extra `tune` is not
            installed.
        NotReadyError: No cluster answers.
    """
    _check_address(address)
    try:
        # `ray[tune]`, which all else needs, has no client of the job server.
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient

        from tuning.cluster._ray import enable_token
    except ImportError as error:
        raise ConfigError(f"submit needs `pip install 'mtl-tune[tune]'`: {error}") from error
    # Before the client is made, which contacts the head at once.
    enable_token()
    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise ConfigError(
            "the cluster wants its own token: put what `ray get-auth-token` prints on its head "
            "into ~/.ray/auth_token or RAY_AUTH_TOKEN, with RAY_AUTH_MODE unset or `token`"
        ) from error
    except OSError as error:
        raise NotReadyError(
            f"no Ray cluster answers at {address or 'RAY_ADDRESS or on this machine'}: start one "
            "with `ray start --head` or `ray up cluster.yaml`, or name it with "
            f"--address http://HEAD:8265 ({reason_of(error)})"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"cannot send jobs to the cluster: {reason_of(error)}") from error


def _check_address(address: str | None) -> None:
    if address is None:
        return
    if urlsplit(address).scheme not in {"http", "https", "ray"}:
        raise ConfigError(
            f"--address {address!r}: must be a URL of the head's dashboard, such as "
            "http://HEAD:8265"
        )
    for variable in _ADDRESS_VARIABLES:
        if os.environ.get(variable, address) != address:
            raise ConfigError(
                f"--address {address!r}: has no effect while {variable} is set "
                f"({os.environ[variable]!r}), because Ray prefers the variable; unset one of them"
            )
