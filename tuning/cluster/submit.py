"""Sends a study to a running Ray cluster as a job that runs the `tune` command on its head."""

import asyncio
import logging
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mtl_core.errors import ConfigError, MtlError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_logger = logging.getLogger(__name__)

INTERRUPTED = 130
"""Exit code when the user stopped following the log; the job itself goes on."""

_MAX_BYTES = 100 * 1024**2  # what the head node of a Ray cluster takes
_EXCLUDES = [
    ".git", ".venv", "venv", "__pycache__", "*.egg-info",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", "/runs",
]  # fmt: skip
_RETRY_SECONDS = 2.0
_ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")


def submit_study(
    *,
    study: str,
    overrides: Sequence[str] = (),
    address: str | None = None,
    working_dir: Path,
    storage: str | None = None,
    follow: bool = True,
) -> int:
    """Runs `tune` on a cluster and copies its log to stdout.

    Ray's token is found where Ray itself looks for it: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH,
    ~/.ray/auth_token. When there is one and RAY_AUTH_MODE is unset, this process sets it to
    `token`.

    Args:
        study: Name of a bundled study, or path of a study file in `working_dir`.
        overrides: What `tune` gets as `--set`, each "key=value".
        address: URL of the head's dashboard, for instance "http://10.0.0.1:8265"; None takes
            RAY_ADDRESS or the cluster that runs on this machine.
        working_dir: The folder that is sent along and in which the command runs. What its
            .gitignore and .rayignore name stays here, and so do environments, caches and runs.
        storage: Where the study folder is written: absolute path of a folder that all nodes
            share. None leaves it to the study file; its relative path then means a folder in the
            job's copy of `working_dir` on the head, which Ray may delete after the job.
        follow: Whether to wait for the end.

    Returns:
        The exit code of the job: 0 done, 1 failed or stopped, 2 bad input; 130 when the user
        interrupted the following. 0 at once when `follow` is False.

    Raises:
        ConfigError: An argument cannot work, or the cluster does not take the job.
        MtlError: The cluster went away while the job ran.
    """
    working_dir = working_dir.resolve()
    entrypoint = _entrypoint(_place_of(study, working_dir), overrides, storage)
    _check_size(working_dir)
    client = _connect(address)
    job = _send(client, entrypoint, working_dir)
    _say(f"Job {job} runs: {entrypoint}\n{_how_to_go_on(client, job)}\n")
    if not follow:
        return 0
    try:
        return _follow(client, job)
    except KeyboardInterrupt:
        _say(f"\nInterrupted; the job goes on.\n{_how_to_go_on(client, job)}\n")
        return INTERRUPTED
    except (OSError, RuntimeError) as error:
        raise MtlError(f"lost the cluster while job {job} ran: {_first_line(error)}") from error


def _place_of(study: str, working_dir: Path) -> str:
    """Returns how the job names the study: a bundled name unchanged, a file from `working_dir`."""
    if Path(study).suffix not in {".yaml", ".yml"}:
        return study
    path = Path(study).resolve()
    if not path.is_file():
        raise ConfigError(f"{study}: no such study file")
    if not path.is_relative_to(working_dir):
        raise ConfigError(
            f"{study}: must stand in the folder that is sent along, {working_dir}; "
            f"send its own with --working-dir {path.parent}"
        )
    return path.relative_to(working_dir).as_posix()


def _entrypoint(study: str, overrides: Sequence[str], storage: str | None) -> str:
    """Returns the shell command that the job runs."""
    if storage is not None:
        if not PurePosixPath(storage).is_absolute():
            raise ConfigError(
                f"--storage {storage!r}: must be an absolute path, of a folder that all nodes "
                "share; a relative one would be lost with the job's copy of the working directory"
            )
        overrides = [*overrides, f"study.storage={storage}"]
    settings = [word for override in overrides for word in ("--set", override)]
    return shlex.join(["python", "-m", "tuning", "tune", study, *settings])


def _check_size(working_dir: Path) -> None:
    """Refuses what the head would refuse, but says which files and folders make it so large."""
    sizes = _sizes(working_dir)
    if sizes.total() > _MAX_BYTES:
        largest = ", ".join(f"{name} ({_megabytes(size)})" for name, size in sizes.most_common(3))
        raise ConfigError(
            f"{working_dir}: {_megabytes(sizes.total())} to send, Ray takes "
            f"{_megabytes(_MAX_BYTES)}; largest: {largest}; name what the job does not need in "
            f"{working_dir / '.rayignore'}"
        )


def _sizes(working_dir: Path) -> Counter[str]:
    """Returns entry of the folder -> bytes that would be sent; Ray stores without compression."""
    # Private to Ray, but the only way to count what it will pack: ignore files and all.
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    sizes: Counter[str] = Counter()

    def add(path: Path) -> None:
        if path.is_file():
            sizes[path.relative_to(working_dir).parts[0]] += path.stat().st_size

    excludes = [_get_excludes(working_dir, _EXCLUDES)]
    _dir_travel(working_dir, excludes, add, include_gitignore=True)
    return sizes


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.0f} MB"


def _connect(address: str | None) -> "JobSubmissionClient":
    """Opens the connection to the head's job server."""
    _check_address(address)
    try:
        from ray._private.authentication import authentication_token_setup
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise ConfigError(f"submit needs `pip install 'ray[default]'`: {error}") from error
    # Ray's own client does this for clusters that it starts, not for those it sends a job to.
    authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise ConfigError(
            "the cluster wants its own token: put what `ray get-auth-token` prints on its head "
            "into ~/.ray/auth_token or RAY_AUTH_TOKEN, with RAY_AUTH_MODE unset or `token`"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"no Ray cluster answers at {address or 'RAY_ADDRESS or on this machine'}: start one "
            "with `ray start --head` or `ray up cluster.yaml`, or name it with "
            f"--address http://HEAD:8265 ({_first_line(error)})"
        ) from error
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"cannot send jobs to the cluster: {_first_line(error)}") from error


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


def _send(client: "JobSubmissionClient", entrypoint: str, working_dir: Path) -> str:
    """Uploads the folder, starts the job and returns its name."""
    environment = {
        "working_dir": str(working_dir),
        "excludes": _EXCLUDES,
        "env_vars": {"PYTHONUNBUFFERED": "1"},  # else the log arrives in blocks
    }
    try:
        return str(client.submit_job(entrypoint=entrypoint, runtime_env=environment))
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"the cluster did not take the job: {_first_line(error)}") from error


def _follow(client: "JobSubmissionClient", job: str) -> int:
    """Copies the log until the job has ended and returns its exit code."""
    written = 0
    while not (details := client.get_job_info(job)).status.is_terminal():
        written = asyncio.run(_copy_log(client, job, written))
    _say(client.get_job_logs(job)[written:])
    if details.status == "SUCCEEDED":
        return 0
    if details.driver_exit_code is None:  # it never started, was stopped, or its node died
        _say(f"Job {job} {details.status}: {details.message}\n")
    return details.driver_exit_code if (details.driver_exit_code or 0) > 0 else 1


async def _copy_log(client: "JobSubmissionClient", job: str, written: int) -> int:
    """Copies the log to stdout until it ends or the connection breaks; returns what is written.

    Ray sends the log from its start every time, so the first `written` characters are left out.
    """
    from aiohttp import ClientError

    received = 0
    try:
        async for text in client.tail_job_logs(job):
            _say(text[max(0, written - received) :])
            received += len(text)
    except (ClientError, OSError, RuntimeError) as error:
        _logger.debug("the log of job %s broke off, trying again: %s", job, error)
        await asyncio.sleep(_RETRY_SECONDS)
    return max(written, received)


def _how_to_go_on(client: "JobSubmissionClient", job: str) -> str:
    token = "RAY_AUTH_MODE=token " if os.environ.get("RAY_AUTH_MODE") == "token" else ""
    ray_job, address = f"{token}ray job", f"--address {client.get_address()}"
    return (
        f"  follow it with: {ray_job} logs --follow {address} {job}\n"
        f"  stop it with:   {ray_job} stop {address} {job}"
    )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
