"""A disk that takes no more is one line that says where, whichever library was writing."""

import errno
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from full_disks import no_file_beyond

from mtl_core.errors import StorageError
from mtl_core.files import whole_file, whole_folder
from mtl_core.full_disk import disk_code, storage_error, take_room

# Each writes far more than the limit below; a process of its own, as a limit cannot be taken back.
_WRITERS = {
    "text": "part.write_text('x' * 10**7)",
    "json": "json.dump(['x' * 10**7], part.open('w'))",
    "safetensors": "save_file({'a': torch.zeros(10**6 * 3)}, part)",
    "torch": "torch.save({'a': torch.zeros(10**6 * 3)}, part.open('wb'))",
    "arrow": "pa.OSFile(str(part), 'w').write(b'x' * 10**7)",
}


@pytest.mark.parametrize("writer", _WRITERS)
def test_what_cannot_be_written_is_told_with_its_place(writer: str, tmp_path: Path) -> None:
    script = (
        "import json, pyarrow as pa, torch\n"
        "from pathlib import Path\n"
        "from safetensors.torch import save_file\n"
        "from mtl_core.errors import StorageError\n"
        "from mtl_core.files import whole_file\n"
        "try:\n"
        "    with whole_file(Path('state')) as part:\n"
        f"        {_WRITERS[writer]}\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    (tmp_path / "state").write_text("before")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "cannot write state: File too large\n", done.stderr
    assert (tmp_path / "state").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO])
def test_the_reason_is_the_one_of_the_system(code: int, tmp_path: Path) -> None:
    reason = os.strerror(code)
    with pytest.raises(StorageError, match=f"^cannot write {tmp_path}/model: {reason}$"):  # noqa: SIM117
        with whole_folder(tmp_path / "model"):
            raise OSError(code, reason)
    assert not list(tmp_path.iterdir())


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    assert disk_code(FileNotFoundError(errno.ENOENT, "no")) is None
    assert disk_code(RuntimeError("(os error 2)")) is None
    assert disk_code(None) is None
    with pytest.raises(PermissionError), whole_file(tmp_path / "state"):
        raise PermissionError(errno.EACCES, "no")


def test_a_file_that_is_mapped_has_its_room_before(tmp_path: Path) -> None:
    # Writing into the map of a file without its room ends the process, by SIGBUS.
    with (tmp_path / "states").open("wb") as file:
        take_room(file, 10**6)
    stat = (tmp_path / "states").stat()
    assert stat.st_size == 10**6
    assert stat.st_blocks * 512 >= 10**6
    with (tmp_path / "more").open("wb") as file, no_file_beyond(10**6 - 1):  # noqa: SIM117
        with pytest.raises(OSError, match="File too large"):
            take_room(file, 10**6)
    with (tmp_path / "empty").open("wb") as file:
        take_room(file, 0)


def test_no_room_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    with no_file_beyond(0), pytest.raises(FileNotFoundError) as raised:
        tempfile.gettempdir()
    assert re.fullmatch(
        r"No usable temporary directory found in \['/tmp', .*\]; make room there, or set TMPDIR to "
        "another folder",
        str(storage_error(raised.value)),
    )


def test_the_disk_behind_the_error_of_a_library_is_found() -> None:
    def wrapped() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "a/b")
        except OSError as error:
            raise ValueError("the encoder cannot be loaded") from error

    with pytest.raises(ValueError, match="cannot be loaded") as raised:
        wrapped()
    assert str(storage_error(raised.value)) == "cannot write a/b: No space left on device"
    # An error that is raised once more, over another one, stands in its own chain.
    raised.value.__context__ = RuntimeError()
    raised.value.__context__.__cause__ = raised.value
    raised.value.__cause__ = None
    assert storage_error(raised.value) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_an_output_that_takes_no_more_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tuning", "--help"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: No space left on device\n"
