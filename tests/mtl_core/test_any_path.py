"""Paths that may be anything: questions about them have an answer, and files are regular ones."""

import os
import socket
from pathlib import Path

import pytest

from mtl_core.any_path import (
    NotRegularError,
    absolute,
    is_file,
    is_folder,
    is_pipe,
    is_there,
    names_beside,
    read_regular,
)

ODD = {
    "too long a name": "a" * 5000,
    "too long a path": "a/" * 5000,
    "a NUL character": "a\0b",
    "half a character": "a\ud800",
    "bytes that are no UTF-8": os.fsdecode(b"\xff\xfe"),
    "nothing": "",
}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_every_question_about_a_path_has_an_answer(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "x"
    assert not is_file(path)
    assert not is_folder(path)
    assert not is_there(path)
    assert not is_pipe(path)
    assert names_beside(path) == [] or name == ""


def test_what_is_there_is_told_apart(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"content")
    link.symlink_to(file)
    assert (is_file(file), is_folder(file), is_there(file)) == (True, False, True)
    assert (is_file(tmp_path), is_folder(tmp_path), is_there(tmp_path)) == (False, True, True)
    assert read_regular(link) == b"content"
    assert sorted(names_beside(file)) == ["file", "link"]
    assert names_beside(file, "k") == ["link"]


@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device", "a folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(path))
        bound.close()
    else:
        path = tmp_path if kind == "a folder" else Path("/dev/zero")
    with pytest.raises(OSError, match=f"it is {kind}, no file") as caught:
        read_regular(path)
    assert str(caught.value.strerror).startswith(f"it is {kind}, no file")
    assert isinstance(caught.value, NotRegularError if kind != "a folder" else IsADirectoryError)


def test_a_name_with_nul_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="NUL character in its name"):
        read_regular(Path("a\0b"))


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute("a/../b", tmp_path) == tmp_path / "b"
    assert absolute("/a/b", tmp_path) == Path("/a/b")
    assert absolute("~/a", tmp_path) == tmp_path / "home" / "a"
    assert absolute("~nosuchuser/a", tmp_path) == tmp_path / "~nosuchuser" / "a"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert absolute("loop", tmp_path) == loop
    with pytest.raises(ValueError, match=r"^expected a path, found a NUL character in 'a\\x00b'$"):
        absolute("a\0b", tmp_path)


def test_without_a_home_folder_none_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(ValueError, match=r"^no home folder is known for '~/a'; set HOME$"):
        absolute("~/a", tmp_path)
