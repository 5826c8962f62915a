"""Files and folders appear whole or not at all."""

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mtl_core.errors import StorageError
from mtl_core.files import (
    whole_append,
    whole_file,
    whole_folder,
    write_json,
    write_text,
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def write_half(path: Path) -> None:
    path.write_text("half", encoding="utf-8")
    raise OSError("full")


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_text(path, "before")
    with pytest.raises(OSError, match="full"), whole_file(path) as part:
        write_half(part)
    assert path.read_text() == "before"
    write_text(path, "after")
    assert path.read_text() == "after"
    assert names(tmp_path) == {"state"}


@pytest.mark.parametrize("before", [None, "", "one\n"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError, KeyboardInterrupt])
def test_what_is_appended_is_there_whole_or_not_at_all(
    tmp_path: Path, before: str | None, error: BaseException | type[BaseException]
) -> None:
    path = tmp_path / "lines"
    if before is not None:
        path.write_text(before)

    def append_half() -> None:
        with whole_append(path), path.open("a") as file:
            file.write("ha")
            file.flush()
            raise error

    with pytest.raises((StorageError, ValueError, KeyboardInterrupt)):
        append_half()
    assert (path.read_text() if path.exists() else None) == before
    with whole_append(path), path.open("a") as file:
        file.write("two\n")
    assert path.read_text() == (before or "") + "two\n"


def test_a_folder_stays_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with whole_folder(tmp_path / "model") as scratch:
        (scratch / "first").touch()
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if (path / "second").exists():
            raise OSError(errno.ENOSPC, "full")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError), whole_folder(tmp_path / "model") as scratch:
        (scratch / "second").touch()
    assert names(tmp_path) == {"model"}
    assert names(tmp_path / "model") == {"first"}


def test_a_link_in_the_place_of_the_scratch_file_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".state.part").symlink_to(tmp_path / "mine")
    write_text(tmp_path / "state", "new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "state").read_text() == "new"


def test_json_holds_null_for_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": float("nan")})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None}


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for name in ("first", "second"):
        with whole_folder(folder) as scratch:
            (scratch / name).touch()
    assert names(folder) == {"second"}
    with pytest.raises(OSError, match="full"), whole_folder(folder) as scratch:
        write_half(scratch / "third")
    assert names(folder) == {"second"}
    assert names(tmp_path) == {"model"}


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002, 0o077])
def test_files_have_the_mode_that_the_umask_leaves_however_they_are_written(
    tmp_path: Path, umask: int
) -> None:
    def write_all(folder: Path) -> None:
        (folder / "plain").write_text("text", encoding="utf-8")
        save_file({"x": torch.zeros(2)}, folder / "weights")  # by way of a temporary file
        descriptor, name = tempfile.mkstemp(dir=folder)
        os.close(descriptor)
        (folder / "below").mkdir()
        Path(name).rename(folder / "below" / "temporary")

    before = os.umask(umask)
    try:
        with whole_folder(tmp_path / "model") as scratch:
            write_all(scratch)
        with whole_file(tmp_path / "best") as part:
            save_file({"x": torch.zeros(2)}, part)
        write_json(tmp_path / "x.json", {})
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in files} == {
        path.name: oct(0o666 & ~umask) for path in files
    }


def test_a_link_in_a_folder_leaves_what_it_leads_to_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "mine").chmod(0o600)
    with whole_folder(tmp_path / "model") as scratch:
        (scratch / "link").symlink_to(tmp_path / "mine")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", [Path(), Path("/")])
def test_what_has_no_name_cannot_be_written(path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"Is a directory"):
        write_text(path, "x")
