"""Sending a study to a real head that asks for a token."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1500)]

_SECONDS = 300
"""For what takes seconds: a machine that is busy with other work may take that long."""


class Head:
    """A real head with token authentication, and what a user has who knows its token."""

    def __init__(self, home: Path) -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = os.environ | {
            "HOME": str(home), "RAY_TMPDIR": str(home), "PATH": path, "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1", "RAY_USAGE_STATS_ENABLED": "0",
        }  # fmt: skip
        for variable in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
            self.environment.pop(variable, None)

    def ray(self, *words: str) -> list[str]:
        return [str(Path(sys.executable).parent / "ray"), *words]

    def start_command(self) -> list[str]:
        ports = {
            "port": free_port(), "dashboard-port": self.address.rpartition(":")[2],
            "ray-client-server-port": free_port(), "dashboard-agent-listen-port": free_port(),
        }  # fmt: skip
        options = [f"--{name}={port}" for name, port in ports.items()]
        return self.ray("start", "--head", "--block", "--num-cpus=1", *options)

    def submit(self, working_dir: Path, setting: str) -> "subprocess.Popen[str]":
        """Starts `submit_study` as a user would: in a process of its own."""
        arguments = {"study": "demo", "overrides": [setting], "address": self.address}
        code = (
            "import sys; from pathlib import Path; from tuning.cluster.submit import submit_study; "
            f"sys.exit(submit_study(**{arguments!r}, working_dir=Path({str(working_dir)!r})))"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env=self.environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    # Not `tmp_path`: the sockets of Ray need a short path.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as home:
        head = Head(Path(home))
        subprocess.run(
            head.ray("get-auth-token", "--generate"),
            env=head.environment, check=True, capture_output=True,
        )  # fmt: skip
        process = subprocess.Popen(
            head.start_command(),
            env=head.environment | {"RAY_AUTH_MODE": "token"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until_ready(head, process)
            yield head
        finally:
            end(process)


def end(head: "subprocess.Popen[bytes]") -> None:
    """Kills a head with all its processes: with `--block` they are below this one.

    Told to end, it would first wait for half a minute for workers that wait for it.
    """
    processes = []
    with suppress(psutil.NoSuchProcess):
        processes = psutil.Process(head.pid).children(recursive=True)
    for one in (head, *processes):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    head.wait(_SECONDS)
    psutil.wait_procs(processes, _SECONDS)


def wait_until_ready(head: Head, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection(head.address.removeprefix("http://"))
        try:
            connection.request("GET", "/api/version")
            assert connection.getresponse().status == 401  # it runs, and asks for the token
        except ConnectionRefusedError:
            time.sleep(0.2)
        else:
            return
        finally:
            connection.close()
    pytest.fail("the head did not start")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose `tuning` is a stand-in that shows its arguments and talks to the cluster."""
    package = tmp_path / "tuning"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys, time, ray\n"
        "ray.init(logging_level='error')\n"
        "print('started', *sys.argv[1:], ray.cluster_resources()['CPU'], flush=True)\n"
        "name, _, value = sys.argv[-1].partition('=')\n"
        "time.sleep(float(value)) if name == 'sleep' else sys.exit(int(value))\n"
    )
    return tmp_path


def test_submitted_study_runs_on_the_head(head: Head, project: Path) -> None:
    process = head.submit(project, "exit=0")
    shown, _ = process.communicate(timeout=_SECONDS)
    assert "started tune demo --set exit=0 1.0\n" in shown
    assert process.returncode == 0


def test_exit_code_of_a_failed_study_comes_back(head: Head, project: Path) -> None:
    process = head.submit(project, "exit=2")
    process.communicate(timeout=_SECONDS)
    assert process.returncode == 2


def test_interrupted_study_goes_on_until_it_is_stopped(head: Head, project: Path) -> None:
    process = head.submit(project, "sleep=600")
    assert process.stdout is not None
    while not process.stdout.readline().startswith("started"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=_SECONDS)
    assert process.returncode == 130
    told = subprocess.run(
        shown.partition("stop it with:")[2].strip(),
        shell=True, check=True, env=head.environment, capture_output=True, text=True,
        timeout=_SECONDS,
    )  # fmt: skip
    assert "was stopped" in told.stdout


def test_the_real_command_ends_well_as_a_ray_job(
    head: Head, tiny_encoder: Path, corpus: Path, cache: Path, tmp_path: Path
) -> None:
    settings = {
        "study.storage": tmp_path,
        "study.trials": 2,
        "run.encoder.name": tiny_encoder,
        "run.datasets": f'{{"sample":{{"kind":"seq_in_out","path":"{corpus}"}}}}',
        "run.training.epochs": 1,
        "search": '{"optimizer.head_lr":{"log_range":[0.001,0.01]}}',
    }
    sets = [f"--set {key}={shlex.quote(str(value))}" for key, value in settings.items()]
    # Plain `ray job submit`, without the help of `mtl submit`.
    command = f"python -m tuning tune demo {' '.join(sets)}"
    words = shlex.split(f"job submit --working-dir . -- {command}")
    done = subprocess.run(
        head.ray(*words), check=False, cwd=ROOT,
        env=head.environment
        | {"RAY_AUTH_MODE": "token", "RAY_ADDRESS": head.address, "MTL_CACHE": str(cache)},
        capture_output=True, text=True, timeout=_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 trials (2 complete" in done.stdout
    result = json.loads((tmp_path / "demo" / "result.json").read_text())
    assert (result["status"], result["trials"]["complete"]) == ("complete", 2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
