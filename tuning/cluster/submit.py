"""Sends a study to a running Ray cluster as a job that runs the `tune` command on its head."""

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mtl_core.errors import ConfigError, MtlError
from mtl_core.reasons import reason_of
from tuning.cluster.job_client import connect
from tuning.cluster.job_log import follow_job, say

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

INTERRUPTED = 130
"""Exit code when the user stopped following the log; the job itself goes on."""

_MAX_BYTES = 100 * 1024**2  # what the head node of a Ray cluster takes
_EXCLUDES = [
    ".git", ".venv", "venv", "__pycache__", "*.egg-info",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", "/runs",
]  # fmt: skip


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
    # All that can be wrong on this side is found before the cluster is asked.
    entrypoint = _entrypoint(_place_of(study, working_dir), overrides, storage)
    _check_size(working_dir)
    client = connect(address)
    job = _send(client, entrypoint, working_dir)
    say(f"Job {job} runs: {entrypoint}\n{_how_to_go_on(client, job)}\n")
    return _follow(client, job) if follow else 0


def _follow(client: "JobSubmissionClient", job: str) -> int:
    try:
        return follow_job(client, job)
    except KeyboardInterrupt:
        say(f"\nInterrupted; the job goes on.\n{_how_to_go_on(client, job)}\n")
        return INTERRUPTED
    except (OSError, RuntimeError) as error:
        raise MtlError(f"lost the cluster while job {job} ran: {reason_of(error)}") from error


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
    # Quoted: the head runs it in a shell, and values of overrides may hold spaces and brackets.
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
    from tuning.cluster._ray import packed_files

    sizes: Counter[str] = Counter()
    for path in packed_files(working_dir, _EXCLUDES):
        sizes[path.relative_to(working_dir).parts[0]] += path.stat().st_size
    return sizes


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.0f} MB"


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
        raise ConfigError(f"the cluster did not take the job: {reason_of(error)}") from error


def _how_to_go_on(client: "JobSubmissionClient", job: str) -> str:
    token = "RAY_AUTH_MODE=token " if os.environ.get("RAY_AUTH_MODE") == "token" else ""
    ray_job, address = f"{token}ray job", f"--address {client.get_address()}"
    return (
        f"  follow it with: {ray_job} logs --follow {address} {job}\n"
        f"  stop it with:   {ray_job} stop {address} {job}"
    )
