"""Text files in other encodings than UTF-8: told by a mark in the file, or by a setting."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from mtl_core.config import RunConfig
from mtl_core.data.formats.conll import Conll
from mtl_core.data.formats.lines import Lines
from mtl_core.data.formats.tables import Table
from mtl_core.data.formats.text_files import read_json
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

WORDS = ("süß", "déjà", "Ångström")
CSV = "text,label\n" + "".join(f"{word} und mehr,{word}\n" for word in WORDS)
CONLL = "".join(f"{word} B-{word}\nund O\n\n" for word in WORDS)


def table(path: Path, **settings: object) -> list[tuple[str, ...]]:
    splits = {"train": str(path), "dev": str(path)}
    section = Table.model_validate({"kind": "csv", "splits": splits, **settings})
    return [
        (*row.words, str(row.labels["label"]))
        for row in read_splits(section, {"label": "label"})["train"]
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_in_the_file_is_enough(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV.encode(encoding))
    assert table(path) == [(word, "und", "mehr", word) for word in WORDS]
    # It is the truth, whatever the setting says.
    if encoding != "utf-8":
        assert table(path, encoding="cp1252") == table(path)


def test_json_with_a_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(WORDS, ensure_ascii=False).encode("utf-16"))
    assert read_json(path) == list(WORDS)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac_roman", "utf-16-le"])
def test_a_setting_reads_what_has_no_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV.encode(encoding))
    assert table(path, encoding=encoding) == [(word, "und", "mehr", word) for word in WORDS]
    path.write_bytes(CONLL.encode(encoding))
    splits = {"train": str(path), "dev": str(path)}
    conll = Conll.model_validate({"columns": {"a": 1}, "encoding": encoding, "splits": splits})
    rows = read_splits(conll, {"a": "tags"})["train"]
    assert [row.words[0] for row in rows] == list(WORDS)
    assert [row.labels["a"] for row in rows] == [(f"B-{word}", "O") for word in WORDS]
    path.write_bytes("\n".join(WORDS).encode(encoding))
    lines = Lines.model_validate({"encoding": encoding, "splits": splits})
    assert [row.words for row in read_splits(lines, {})["train"]] == [(word,) for word in WORDS]


def test_what_is_no_utf_8_is_told_with_the_setting(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV.encode("cp1252"))
    with pytest.raises(DataError, match=r"rows\.csv:2: not UTF-8 text \(byte 0xfc\); .*encoding: "):
        table(path)
    with pytest.raises(DataError, match=r"rows\.csv:2: not ASCII text \(byte 0xfc\)"):
        table(path, encoding="ascii")


def test_where_there_is_no_setting_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(WORDS, ensure_ascii=False).encode("cp1252"))
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 0xfc\); save it as UTF-8$"):
        read_json(path)


@pytest.mark.parametrize("name", ["latin1252", "base64", "rot13", ""])
def test_what_is_no_encoding_is_refused(name: str) -> None:
    raw = {
        "datasets": {
            "a": {"kind": "lines", "splits": {"train": "a", "dev": 0.1}, "encoding": name}
        },
        "tasks": {"b": {"kind": "masked_lm", "dataset": "a", "auxiliary": False}},
    }
    with pytest.raises(ValidationError, match="expected an encoding such as utf-8, cp1252"):
        RunConfig.model_validate(raw)
