"""Fetching: whole files, checked and each only once, from a server that may misbehave."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from file_server import FileServer, serving
from full_disks import no_file_beyond

from mtl_core.errors import CacheError, DataError, NotReadyError, StorageError
from mtl_core.fetching.download import fetch_source
from mtl_core.fetching.sources import Source

FILES = {"train/a.txt": b"one line\n" * 5000, "b.txt": "zwei Zeilen \u00e4\n".encode()}


def source_of(files: dict[str, bytes]) -> Source:
    return Source.model_validate(
        {
            "about": "stand-in",
            "licence": "CC0-1.0",
            "repository": "owner/name",
            "commit": "0" * 40,
            "files": {
                name: {
                    "path": f"there/{name}",
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "bytes": len(content),
                }
                for name, content in files.items()
            },
        }
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """pooch waits for a second before it asks again."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({f"set/{name}": content for name, content in FILES.items()}) as state:
        yield state


def found(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_the_files_come_as_they_are(server: FileServer, own_cache: Path) -> None:
    sizes: list[int] = []
    source = source_of(FILES)
    folder = fetch_source("set", source, mirror=server.address + "/", advance=sizes.append)
    assert folder == own_cache / "fetched" / "set"
    assert found(folder) == FILES
    assert sum(sizes) == source.bytes == sum(map(len, FILES.values()))


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_who_may_read_the_files_is_said_by_the_umask(server: FileServer, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = fetch_source("set", source_of(FILES), mirror=server.address)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((folder / name).stat().st_mode) for name in FILES}
    assert modes == {0o666 & ~umask}


@pytest.mark.parametrize("size", [0, 100, 30_000])
def test_a_disk_that_is_full_keeps_no_half_and_the_next_call_goes_on(
    server: FileServer, own_cache: Path, size: int
) -> None:
    a = own_cache / "fetched" / "set" / "train" / "a.txt"
    with no_file_beyond(size), pytest.raises(StorageError, match=f"^cannot write {a}: File too la"):
        fetch_source("set", source_of(FILES), mirror=server.address)
    assert found(own_cache) == {}
    assert found(fetch_source("set", source_of(FILES), mirror=server.address)) == FILES


def test_what_is_there_is_not_fetched_again(server: FileServer) -> None:
    fetch_source("set", source_of(FILES), mirror=server.address)
    fetch_source("set", source_of(FILES), mirror=server.address)
    assert server.asked == ["set/train/a.txt", "set/b.txt"]


def test_a_file_that_was_changed_is_fetched_again(server: FileServer) -> None:
    folder = fetch_source("set", source_of(FILES), mirror=server.address)
    (folder / "b.txt").write_bytes(b"other")
    fetch_source("set", source_of(FILES), mirror=server.address)
    assert found(folder) == FILES


def test_another_content_is_refused_and_not_kept(server: FileServer, own_cache: Path) -> None:
    server.files["set/b.txt"] += b"!"
    with pytest.raises(DataError, match=r"set/b\.txt: expected the SHA-256 \w{64}, found another"):
        fetch_source("set", source_of(FILES), mirror=server.address)
    assert list(found(own_cache / "fetched" / "set")) == ["train/a.txt"]


def test_a_cut_connection_is_tried_once_more(server: FileServer) -> None:
    server.cuts = 1
    assert found(fetch_source("set", source_of(FILES), mirror=server.address)) == FILES
    assert server.asked == ["set/train/a.txt", "set/train/a.txt", "set/b.txt"]


def test_a_connection_that_stays_cut_keeps_nothing(server: FileServer, own_cache: Path) -> None:
    server.cuts = 2
    said = r"set/train/a\.txt: cannot be fetched: the connection was"
    with pytest.raises(NotReadyError, match=said):
        fetch_source("set", source_of(FILES), mirror=server.address)
    assert found(own_cache / "fetched") == {}


def test_the_next_call_goes_on(server: FileServer) -> None:
    del server.files["set/b.txt"]
    with pytest.raises(DataError, match=r"set/b\.txt: cannot be fetched: the server says 404 Not"):
        fetch_source("set", source_of(FILES), mirror=server.address)
    server.files["set/b.txt"], server.asked[:] = FILES["b.txt"], []
    fetch_source("set", source_of(FILES), mirror=server.address)
    assert server.asked == ["set/b.txt"]


def test_no_server_is_one_line_that_names_the_ways() -> None:
    with serving({}) as gone:
        pass
    with pytest.raises(
        NotReadyError, match=r"cannot be reached; .* --from or MTL_FETCH_FROM"
    ) as info:
        fetch_source("set", source_of(FILES), mirror=gone.address)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_serves_as_well(tmp_path: Path, scheme: str) -> None:
    for name, content in FILES.items():
        path = tmp_path / "mirror" / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    mirror = f"{scheme}{tmp_path / 'mirror'}"
    assert found(fetch_source("set", source_of(FILES), mirror=mirror)) == FILES


def test_a_folder_without_the_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/set/train/a\.txt: there is no such file"):
        fetch_source("set", source_of(FILES), mirror=str(tmp_path / "nowhere"))


def test_a_cache_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match="cannot make the cache folder"):
        fetch_source("set", source_of(FILES), mirror=str(tmp_path))


def test_the_address_of_a_file_is_that_of_a_commit() -> None:
    expected = f"https://raw.githubusercontent.com/owner/name/{'0' * 40}/there/b.txt"
    assert source_of(FILES).address("b.txt") == expected
