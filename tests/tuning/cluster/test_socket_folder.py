import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tuning.cluster.socket_folder import fits, short_folder

# What a session of Ray is called, with the longest process id that Linux has.
_SOCKET = "session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"


@pytest.mark.parametrize("length", range(5, 60))
def test_a_folder_fits_when_the_system_takes_the_path_of_a_socket_in_it(length: int) -> None:
    folder = Path("/tmp", "x" * length)
    path = str(folder / _SOCKET)
    with socket.socket(socket.AF_UNIX) as one:
        # Of a path that is short enough it says that the folder is not there.
        with pytest.raises(OSError, match=r"too long|No such file") as raised:
            one.bind(path)
        taken = isinstance(raised.value, FileNotFoundError)
    # Never yes where the system says no; a few bytes are left for macOS.
    assert taken or not fits(folder)
    assert not fits(folder) or len(path) < 104


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_long_folder_is_replaced_for_as_long_as_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / ("job." * 30)))
    with short_folder() as folder:
        assert folder is not None
        assert fits(folder)
        assert os.access(folder, os.W_OK)
        (folder / "session").mkdir()
    assert not folder.exists()


def test_a_short_folder_is_left_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    with short_folder() as folder:
        assert folder is None


@pytest.mark.ray
def test_ray_starts_under_the_long_folder_of_a_batch_system(tmp_path: Path) -> None:
    long = tmp_path / ("pbs.1234567.server/" * 6)
    long.mkdir(parents=True)
    script = (
        "import ray\n"
        "from tuning.cluster.connection import cluster\n"
        "with cluster(None, num_cpus=1, verbose=False, tell=print) as connected:\n"
        "    connected()\n"
        "    print('CPUs', ray.cluster_resources()['CPU'])\n"
    )
    environment = {**os.environ, "TMPDIR": str(long)}
    environment.pop("RAY_TMPDIR", None)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert "CPUs 1.0" in done.stdout, done.stderr
