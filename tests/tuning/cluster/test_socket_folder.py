import errno
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtl_core.errors import ConfigError, StorageError
from tuning.cluster.socket_folder import fits, leftovers, short_folder

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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only place where folders of Ray may lie, short enough for them."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        for name in ("RAY_TMPDIR", "XDG_RUNTIME_DIR", "HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_lies_where_ray_would_go(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(place))
    with short_folder() as folder:
        assert folder.parent == place
        assert os.access(folder, os.W_OK)
        (folder / "session").mkdir()
        (folder / "session" / "log").touch()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("unusable", ["job." * 30, "missing", "runs/../tmp", "relative"])
def test_an_unusable_place_is_passed_over(
    place: Path, monkeypatch: pytest.MonkeyPatch, unusable: str
) -> None:
    long = unusable if unusable == "relative" else str(place / unusable)
    monkeypatch.setenv("RAY_TMPDIR", long)
    with short_folder() as folder:
        assert folder.parent == place
        assert fits(folder)


def test_without_any_place_it_is_said_what_helps(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    said = pytest.raises(ConfigError, match=r"tried .*/tmp.*; name one: RAY_TMPDIR=")
    with said as raised, short_folder():
        pass
    assert str(place) in str(raised.value)


def test_a_full_disk_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "no space", str(place))

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(StorageError, match="No space left"), short_folder():
        pass


def test_what_a_killed_study_left_is_removed_by_the_next(place: Path) -> None:
    script = (
        "import time\n"
        "from tuning.cluster.socket_folder import short_folder\n"
        "with short_folder() as folder:\n"
        "    (folder / 'session').mkdir()\n"
        "    print(folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with short_folder() as ours:
            assert left.is_dir(), "its study lives"
            assert left not in leftovers()
            process.kill()
            process.wait()
            assert left in leftovers()
            assert ours not in leftovers(), "this study lives"
        with short_folder():
            assert not left.exists()
    finally:
        process.kill()
        process.stdout.close()
    assert list(place.iterdir()) == []


def test_nothing_else_is_taken_for_a_leftover(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "mtl-ray-unknown").mkdir()  # Nobody says that it was a study's.
    (place / "mtl-ray-file").touch()
    (place / "mtl-ray-dangling").symlink_to(place / "nowhere")
    (tmp_path / ".lock").touch()
    (place / "mtl-ray-link").symlink_to(tmp_path)
    assert [left for left in leftovers() if left.parent == place] == []
    (place / "mtl-ray-left").mkdir()
    (place / "mtl-ray-left" / ".lock").touch()
    assert place / "mtl-ray-left" in leftovers()
    own = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: own + 1)
    assert [left for left in leftovers() if left.parent == place] == []


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
        "    print(ray._private.worker._global_node.get_temp_dir_path())\n"
    )
    environment = {**os.environ, "TMPDIR": str(long)}
    environment.pop("RAY_TMPDIR", None)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert "CPUs 1.0" in done.stdout, done.stderr
    assert not Path(done.stdout.split()[-1]).exists(), "nothing of it is left"
