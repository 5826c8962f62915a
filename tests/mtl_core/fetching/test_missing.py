"""Data that was fetched: there, gone, or no longer what it was."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_core.errors import DataError
from mtl_core.fetching import missing
from mtl_core.fetching.download import fetch_source
from mtl_core.fetching.missing import check_fetched, is_fetched, missing_names
from mtl_core.fetching.sources import Source
from mtl_core.section import DataPath, Section

CONTENT = b"one line\n" * 100


SOURCE = Source.model_validate(
    {
        "about": "stand-in",
        "licence": "CC0-1.0",
        "repository": "owner/name",
        "commit": "0" * 40,
        "files": {
            "a.txt": {
                "path": "a",
                "sha256": hashlib.sha256(CONTENT).hexdigest(),
                "bytes": len(CONTENT),
            }
        },
    }
)


class Place(Section):
    path: DataPath


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the only data set which is known is fetched from."""
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(missing, "known_sources", lambda: {"set": SOURCE})
    (tmp_path / "mirror" / "set").mkdir(parents=True)
    (tmp_path / "mirror" / "set" / "a.txt").write_bytes(CONTENT)
    return tmp_path / "mirror"


def rotten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [rotten, cut, piped, made_a_folder])
def test_a_fetched_file_that_is_damaged_is_told_and_fetched_again(
    mirror: Path, damage: Callable[[Path], None]
) -> None:
    file = fetch_source("set", SOURCE, mirror=str(mirror)) / "a.txt"
    sections = [Place(path="fetched:set/a.txt")]
    check_fetched(sections)
    damage(file)
    with pytest.raises(DataError) as raised:
        check_fetched(sections)
    said = "the file is no longer the one that was fetched; `mtl fetch set` fetches it again"
    assert str(raised.value) == f"{file}: {said}"
    assert missing_names(sections) == ["set"]
    fetch_source("set", SOURCE, mirror=str(mirror))
    assert is_fetched("set")
    assert file.read_bytes() == CONTENT


def test_a_fetched_file_is_read_once(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_source("set", SOURCE, mirror=str(mirror))
    assert is_fetched("set")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    assert is_fetched("set")
