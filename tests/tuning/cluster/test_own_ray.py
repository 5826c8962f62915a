"""The vital processes of a Ray of our own, played by programs of their names."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mtl_core.errors import TrainingError
from tuning.cluster.own_ray import OwnRay


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    sleep = shutil.which("sleep")
    assert sleep is not None
    started = {}
    for name in ("gcs_server", "raylet", "another"):
        program = shutil.copy(sleep, tmp_path / name)
        started[name] = subprocess.Popen([program, "1000"])
    yield started
    for process in started.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
@pytest.mark.parametrize("is_reaped", [False, True])
def test_a_vital_process_that_ended_is_told(
    processes: dict[str, subprocess.Popen[bytes]], name: str, is_reaped: bool
) -> None:
    own = OwnRay()
    own.check()
    processes["another"].kill()
    processes["another"].wait()
    own.check()
    processes[name].kill()
    if is_reaped:
        processes[name].wait()
    else:
        os.waitid(os.P_PID, processes[name].pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TrainingError, match=rf"of Ray that .* \({name}\) ended") as raised:
        own.check()
    assert str(raised.value).endswith("are kept, and the same command goes on")


def test_processes_of_a_cluster_of_others_are_not_looked_at(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    raylet = shutil.copy(sleep, tmp_path / "raylet")
    # A child of a child of this process, as the raylet of another driver here would be.
    command = f"{raylet} 1000 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        number = int(other.stdout.readline())
        own = OwnRay()
        os.kill(number, signal.SIGKILL)
        other.wait()
        own.check()
    assert not psutil.pid_exists(number)
