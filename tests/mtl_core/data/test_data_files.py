"""Where splits come from: several files, folders, globs, compressed files and addresses."""

import bz2
import gzip
import io
import lzma
import os
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from file_server import serving
from formats import SECTIONS, WriteRows, read

from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError, NotReadyError

ROWS = "text,label\na,x\nb,y\n"
MORE = "text,label\nc,z\n"


def texts(section: Any, split: str = "train") -> list[str]:
    return [" ".join(row.words) for row in read_splits(section, {"label": "label"})[split]]


def csv_section(train: object, dev: object, **settings: object) -> Any:
    return SECTIONS.validate_python(
        {"kind": "csv", "splits": {"train": train, "dev": dev}, **settings}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (("part-2.csv", MORE), ("part-1.csv", ROWS), (".hidden.csv", "x")):
        (tmp_path / "parts" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "parts" / name).write_text(content)
    return tmp_path / "parts"


def test_a_list_is_read_in_its_order(folder: Path) -> None:
    files = [str(folder / "part-2.csv"), folder / "part-1.csv"]
    assert texts(csv_section(files, files[0])) == ["c", "a", "b"]


def test_a_folder_and_a_glob_are_read_by_name_without_hidden_files(folder: Path) -> None:
    section = csv_section(folder, f"{folder.parent}/*/part-[12].csv")
    assert texts(section) == texts(section, "dev") == ["a", "b", "c"]


def test_a_file_whose_name_reads_as_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "rows[1].csv").write_text(ROWS)
    (tmp_path / "rows1.csv").write_text(MORE)
    assert texts(csv_section(tmp_path / "rows[1].csv", tmp_path / "rows1.csv")) == ["a", "b"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("none.csv", "there is no such file"),
        ("*.tsv", "no file matches"),
        ("empty", "the folder holds no files"),
    ],
)
def test_a_place_without_files_is_told(folder: Path, place: str, reason: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=rf"{place.replace('*', '.')}: {reason}$"):
        texts(csv_section(folder / place, folder / "part-1.csv"))


@pytest.mark.parametrize("name", ["a" * 5000 + ".csv", "a/" * 5000, "a" * 300 + "/rows.csv"])
def test_a_name_that_no_file_can_have_is_one_that_is_not_there(folder: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"there is no such file$"):
        texts(csv_section(folder / name, folder / "part-1.csv"))


@pytest.mark.parametrize("place", ["pipe", "pip?", "/dev/zero", "loop"])
def test_what_is_no_file_is_not_read(folder: Path, place: str) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    section = csv_section(folder / place, folder / "part-1.csv")
    with pytest.raises(DataError, match=r"it is a (pipe|device), no file|no such file|no file ma"):
        section.fingerprint()
    with pytest.raises(DataError, match=r"it is a (pipe|device), no file|no such file|no file ma"):
        texts(section)


def test_an_empty_list_and_other_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one file, found an empty list"):
        csv_section([], 0.5)
    with pytest.raises(ValueError, match=r"expected a path, or an address with https://"):
        csv_section("s3://bucket/rows.csv", 0.5)


def test_a_file_that_moves_to_another_split_makes_another_data_set(folder: Path) -> None:
    one, two = folder / "part-1.csv", folder / "part-2.csv"
    sections = [csv_section([one, two], two), csv_section(one, [two, two]), csv_section(one, two)]
    assert len({section.fingerprint() for section in sections}) == 3
    before = sections[2].fingerprint()
    two.write_text(ROWS)
    assert sections[2].fingerprint() != before


def zipped(content: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__MACOSX/rows.csv", b"x")
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, "zstd", asbytes=True)


PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
    "zip": lambda content: zipped(content, "a/rows.csv"),
}


@pytest.mark.parametrize("suffix", PACKED)
def test_compressed_files_are_read_whatever_their_names(suffix: str, write_rows: WriteRows) -> None:
    packed = PACKED[suffix]
    for name in (f"rows.csv.{suffix}", "rows.csv"):
        path = write_rows(packed(ROWS.encode()), name)
        assert [row.words for row in read(path, "csv", {})] == [("a",), ("b",)]
    lines = write_rows(packed(b"one two\nthree\n"), "lines")
    assert [len(row.words) for row in read(lines, "lines", {})] == [2, 1]
    conll = write_rows(packed(b"a B-x\n\nb O\n"), "conll")
    assert len(read(conll, "conll", {"t": "tags"}, columns={"t": 1})) == 2
    spans = write_rows(packed(b'[{"text": "a b", "spans": []}]'), "spans")
    assert len(read(spans, "spans_json", {"spans": "tags"})) == 1


@pytest.mark.parametrize("suffix", PACKED)
def test_a_compressed_file_that_is_cut_off_is_told(suffix: str, write_rows: WriteRows) -> None:
    path = write_rows(PACKED[suffix]((ROWS * 50).encode())[:-9], f"rows.{suffix}")
    with pytest.raises(DataError, match=rf"rows\.{suffix}: not a whole \w+ file: "):
        read(path, "lines", {})


def test_an_archive_of_several_files_is_told(write_rows: WriteRows) -> None:
    path = write_rows(zipped(b"a", "train.csv", "dev.csv"), "all.zip")
    with pytest.raises(DataError, match=r"zip archive of one file, found 2 \(train\.csv, dev\.csv"):
        read(path, "csv", {})


def test_an_address_is_fetched_once() -> None:
    files = {"a/rows.csv": ROWS.encode(), "rows.csv.gz?v=1": gzip.compress(MORE.encode())}
    with serving(files) as server:
        section = csv_section([f"{server.address}/{path}" for path in files], 0.4)
        assert sorted(texts(section) + texts(section, "dev")) == ["a", "b", "c"]
        assert section.fingerprint() == section.fingerprint()
        assert server.asked == [*files]


def test_what_was_fetched_and_is_damaged_is_fetched_again(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving({"rotten.csv": ROWS.encode()}) as server:
        section = csv_section([f"{server.address}/rotten.csv"], 0.5)
        first = texts(section)
        [file] = (cache / "downloads").glob("*/rotten.csv")
        file.write_bytes(file.read_bytes().replace(b"a", b"b"))
        assert texts(section) == first
        assert server.asked == ["rotten.csv"] * 2
    [line] = caplog.messages
    assert line.endswith(": damaged: rotten.csv is not what was written; it is built again")


def test_what_a_server_does_not_send_is_told_and_not_kept() -> None:
    with serving({"rows.csv": ROWS.encode()}) as server:
        for path, reason, kind in (
            ("none.csv", "the server says 404 Not Found", DataError),
            ("rows.csv", "cut", NotReadyError),
        ):
            server.cuts = path == "rows.csv"
            address = f"{server.address}/{path}"
            with pytest.raises(kind, match=rf"^{address}: cannot be fetched: .*{reason}$"):
                texts(csv_section(address, 0.5))
        assert len(texts(csv_section(f"{server.address}/rows.csv", 0.5))) == 1


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(
        NotReadyError, match=r"rows\.csv: cannot be fetched: the server cannot be reached$"
    ) as error:
        texts(csv_section(f"http://127.0.0.1:{port}/rows.csv", 0.5))
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 5


def test_a_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_core.fetching.download.SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/rows.csv"
        with pytest.raises(
            NotReadyError, match=r"rows\.csv: cannot be fetched: no answer within 0\.2 s"
        ):
            texts(csv_section(address, 0.5))
