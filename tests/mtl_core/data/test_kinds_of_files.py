"""What all kinds of text files have in common: line ends, marks, NUL, empty texts, broken bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from formats import SECTIONS

from mtl_core.data.notes import DataNote
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

CONTEXT = {"context": "c d", "answers": {"text": ["d"], "answer_start": [2]}}
KINDS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "csv": ("text,l\na b,x\nc d,y\n", {"l": "label"}, {}),
    "jsonl": (
        '{"text": "a b", "l": "x"}\n{"text": "c d", "l": "y"}\n', {"l": "label"}, {},
    ),
    "conll": ("a O\nb O\n\nc B-x\nd O\n", {"t": "tags"}, {"columns": {"t": 1}}),
    "conllu": (
        "1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n2\tb\t_\tX\t_\t_\t_\t_\t_\t_\n\n"
        "1\tc\t_\tX\t_\t_\t_\t_\t_\t_\n2\td\t_\tX\t_\t_\t_\t_\t_\t_\n", {"upos": "tags"}, {},
    ),
    "lines": ("a b\nc d\n", {}, {}),
    "spans_json": (
        '{"text": "a b", "spans": []}\n'
        '{"text": "c d", "spans": [{"start": 0, "end": 1, "label": "x"}]}\n',
        {"spans": "tags"}, {},
    ),
    "squad": (
        "\n".join(json.dumps({"id": q, "question": q, **CONTEXT}) for q in ("a b", "c d")),
        {"answers": "answers"}, {},
    ),
}  # fmt: skip
WORDS = [("a", "b"), ("c", "d")]
EMPTY = {
    "csv": "text,l\na b,x\n ,x\nc d,y\n",
    "jsonl": '{"text": "a b", "l": "x"}\n{"text": null}\n{"text": "c d", "l": "y"}\n',
    "spans_json": '{"text": "a b", "spans": []}\n{"text": " "}\n{"text": "c d", "spans": []}\n',
    "squad": "\n".join(
        json.dumps({"id": q, "question": q, **CONTEXT}) for q in ("a b", " ", "c d")
    ),
}


def words(path: Path, kind: str, **settings: Any) -> tuple[list[Any], list[DataNote]]:
    _, columns, more = KINDS[kind]
    raw = {"kind": kind, "splits": {"train": path, "dev": path}, **more, **settings}
    notes: list[DataNote] = []
    found = read_splits(SECTIONS.validate_python(raw), columns, notes)
    assert found["train"] == found["dev"]
    return [row.words for row in found["train"]], notes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_marks_are_no_part_of_rows(
    kind: str, end: str, mark: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows"
    path.write_bytes((mark + KINDS[kind][0]).replace("\n", end).encode())
    assert words(path, kind)[0] == WORDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_nul_is_a_character(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    nul = "\\u0000" if kind in ("jsonl", "spans_json", "squad") else "\0"
    path.write_bytes(KINDS[kind][0].replace("b", f"b{nul}", 1).encode())
    if kind not in ("jsonl", "spans_json", "squad"):
        assert words(path, kind)[0][0][1] == "b\0"


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_that_are_no_utf8_are_told_with_their_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(KINDS[kind][0].encode().replace(b"d", b"\xe9", 1))
    line = KINDS[kind][0].partition("d")[0].count("\n") + 1
    if kind == "squad":
        line = 1  # `id`
    with pytest.raises(DataError, match=rf"rows:{line}: not .*\(byte 0xe9\)") as error:
        words(path, kind)
    assert len(error.value.lines) == 1


@pytest.mark.parametrize("kind", ["jsonl", "spans_json", "squad"])
def test_half_a_character_is_told_with_its_row(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    # In SQuAD the context has the same words: only the question is cut.
    question = '"question": ' if kind == "squad" else ""
    path.write_text(KINDS[kind][0].replace(f'{question}"c d"', f'{question}"c\\ud83d d"'))
    with pytest.raises(DataError, match=r"rows:2\b.*: expected text, found half a character"):
        words(path, kind)


@pytest.mark.parametrize("kind", EMPTY)
def test_rows_with_an_empty_text_are_told_or_left_out_and_counted(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows"
    path.write_text(EMPTY[kind])
    place = rf"rows:{3 if kind == 'csv' else 2}\b"
    with pytest.raises(DataError, match=place + r".*; `on_empty: skip` leaves such rows out$"):
        words(path, kind)
    found, notes = words(path, kind, on_empty="skip")
    assert found == WORDS
    said = [(note.split, note.count, note.of) for note in notes if note.topic == "empty"]
    assert said == [("train", 1, 3), ("dev", 1, 3)]


def test_lines_of_seq_in_out_may_be_left_out_too(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / split).mkdir()
        for name, text in (
            ("seq.in", "a b\n\nc\n"),
            ("seq.out", "O O\n\nB-x\n"),
            ("label", "x\n\ny\n"),
        ):
            (tmp_path / split / name).write_text(text)
    raw = {"kind": "seq_in_out", "path": tmp_path, "splits": {"test": None}}
    columns = {"intent": "label", "slots": "tags"}
    with pytest.raises(DataError, match=r"seq\.in:2: empty sentence; `on_empty: skip` leaves such"):
        read_splits(SECTIONS.validate_python(raw), columns)
    found = read_splits(SECTIONS.validate_python(raw | {"on_empty": "skip"}), columns)["train"]
    assert [row.labels for row in found] == [
        {"intent": "x", "slots": ("O", "O")}, {"intent": "y", "slots": ("B-x",)}
    ]  # fmt: skip


def test_what_is_left_out_is_counted_over_all_files_of_a_split(tmp_path: Path) -> None:
    contents = (EMPTY["csv"], "text,l\na b,x\n", EMPTY["csv"])
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.csv").write_text(content)
    splits = {"train": tmp_path, "dev": tmp_path / "1.csv"}
    raw = {"kind": "csv", "splits": splits, "on_empty": "skip"}
    notes: list[DataNote] = []
    read_splits(SECTIONS.validate_python(raw), {"l": "label"}, notes)
    assert [(note.split, note.text) for note in notes] == [
        ("train", "2 of 7 rows have an empty text and are left out")
    ]
