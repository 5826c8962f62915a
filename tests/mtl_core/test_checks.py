"""Checks of files: what was written is taken, whatever else stands there is refused."""

import json
import math
import os
import zlib
from pathlib import Path

import pytest

from mtl_core.checks import DamagedError, check_files, checked_json, checks_of, read_checked

CONTENTS: list[object] = [None, 0, "", [], {}, {"a": [1, 2.5, None, "é\n\u2028"], "b": {"c": True}}]


@pytest.mark.parametrize("content", CONTENTS)
def test_what_was_written_is_read_and_is_json(content: object, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(checked_json(content), encoding="utf-8")
    assert read_checked(path) == content
    assert json.loads(path.read_text())["content"] == content
    assert json.loads(path.read_text())["crc32"] == zlib.crc32(json.dumps(content).encode())


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_json_is_not_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        checked_json({"a": number})


def test_no_change_of_a_byte_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    whole = checked_json({"labels": ["a", "b"], "n": 7}).encode()
    for place in range(len(whole) - 2):  # The bracket and the line end at the end hold nothing.
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            with pytest.raises(DamagedError, match=r"^x\.json is "):
                read_checked(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b"[" * 200_000, b'{"crc32": 0, "content":']
)
def test_garbage_is_not_even_parsed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DamagedError, match="is damaged, or of another version"):
        read_checked(tmp_path / "x.json")


def test_what_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DamagedError, match=r"^x\.json is too large"):
        read_checked(tmp_path / "x.json")


def test_checks_are_sizes_and_the_sums_of_zlib(tmp_path: Path) -> None:
    contents = {"b": b"", "a": b"abc", "large": os.urandom(2**24 + 5)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    found = checks_of(tmp_path)
    assert found == {name: [len(c), zlib.crc32(c)] for name, c in contents.items()}
    check_files(tmp_path, found)


def test_a_file_is_read_once_until_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    found = checks_of(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
        check_files(tmp_path, found)
    path.write_bytes(b"two")
    os.utime(path, ns=(0, 0))
    with pytest.raises(DamagedError, match=r"^a is not what was written"):
        check_files(tmp_path, found)
    path.write_bytes(b"three")
    with pytest.raises(DamagedError, match=r"^a has 5 bytes in place of 3"):
        check_files(tmp_path, found)
