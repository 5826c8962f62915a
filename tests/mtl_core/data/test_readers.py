"""Readers: the same sentences from every format, text kept as it stands, and what errors say."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import datasets
import pytest
from conftest import write_seq_in_out
from pydantic import TypeAdapter

from mtl_core.data.columns.cells import Cell
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import ColumnKind, Example
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.splits import Splits, read_splits
from mtl_core.errors import DataError

COLUMNS: dict[str, ColumnKind] = {"intent": "label", "slots": "tags"}
EXAMPLES = [
    Example(("play", "ok", "computer"), {"intent": "play", "slots": ("O", "B-album", "I-album")}),
    Example(("NA", "no", "007"), {"intent": "no", "slots": ("B-code", "O", "B-code")}),
    Example(("caf\u00e9", "007"), {"intent": "007", "slots": ("O", "O")}),
    Example(("what", "now"), {"slots": ("O", "O")}),
    Example(("turn", "it", "off"), {"intent": "NA"}),
]


def read(raw: Mapping[str, object], columns: Mapping[str, ColumnKind] = COLUMNS) -> Splits:
    section = TypeAdapter(DatasetSection).validate_python(dict(raw))
    return read_splits(section, columns)


def cells(example: Example, *, as_list: bool) -> dict[str, object]:
    tags = example.labels.get("slots")
    return {
        "text": list(example.words) if as_list else " ".join(example.words),
        "intent": example.labels.get("intent"),
        "slots": tags if tags is None or as_list else " ".join(tags),
    }


def table(folder: Path, kind: str, content: str) -> dict[str, object]:
    """Writes the content as the train and dev file of a table."""
    path = folder / f"rows.{kind}"
    path.write_bytes(content.encode())
    return {"kind": kind, "splits": {"train": str(path), "dev": str(path)}}


def seq_in_out(folder: Path, *, words: str, tags: str, labels: str) -> dict[str, object]:
    """Writes the content as the train and dev folder of a data set."""
    for split in ("train", "dev"):
        (folder / split).mkdir()
        for name, content in (("seq.in", words), ("seq.out", tags), ("label", labels)):
            (folder / split / name).write_bytes(content.encode())
    return {"kind": "seq_in_out", "path": str(folder), "splits": {"test": None}}


def test_seq_in_out_gives_the_sentences_that_were_written(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write_seq_in_out(tmp_path / split, EXAMPLES)
    found = read({"kind": "seq_in_out", "path": str(tmp_path)})
    assert found == {"train": EXAMPLES, "dev": EXAMPLES, "test": EXAMPLES}


def test_csv_keeps_every_cell_as_text(tmp_path: Path) -> None:
    lines = ["text,intent,slots"]
    for example in EXAMPLES:
        row = cells(example, as_list=False)
        lines.append(",".join(str(row[name] or "") for name in ("text", "intent", "slots")))
    found = read(table(tmp_path, "csv", "\n".join(lines)))
    assert found == {"train": EXAMPLES, "dev": EXAMPLES}


def test_csv_takes_another_delimiter_and_quoted_cells(tmp_path: Path) -> None:
    raw = table(tmp_path, "csv", 'text;intent\n"stop; now";"a ""b"""\n')
    found = read(raw | {"delimiter": ";"}, {"intent": "label"})
    assert found["train"] == [Example(("stop;", "now"), {"intent": 'a "b"'})]


@pytest.mark.parametrize("as_list", [True, False])
def test_jsonl_takes_lists_and_strings(tmp_path: Path, as_list: bool) -> None:
    lines = [json.dumps(cells(example, as_list=as_list)) for example in EXAMPLES]
    assert read(table(tmp_path, "jsonl", "\n".join(lines)))["train"] == EXAMPLES


@pytest.mark.parametrize("as_list", [True, False])
def test_parquet_takes_lists_and_strings(tmp_path: Path, as_list: bool) -> None:
    path = tmp_path / "rows.parquet"
    rows = [cells(example, as_list=as_list) for example in EXAMPLES]
    datasets.Dataset.from_list(rows).to_parquet(path)
    raw = {"kind": "parquet", "splits": {"train": str(path), "dev": str(path)}}
    assert read(raw)["train"] == EXAMPLES


def test_hub_folder_gives_names_for_class_numbers(tmp_path: Path) -> None:
    tags = datasets.ClassLabel(names=["O", "B-album", "I-album", "B-code"])
    features = datasets.Features(
        {
            "text": datasets.List(datasets.Value("string")),
            "intent": datasets.ClassLabel(names=["play", "no", "007", "NA"]),
            "slots": datasets.List(tags),
        }
    )
    rows = [cells(example, as_list=True) for example in EXAMPLES]
    # -1 is what hub data sets write in a class column for "no label".
    rows = [row | {"intent": -1 if row["intent"] is None else row["intent"]} for row in rows]
    for split in ("train", "validation", "test"):
        stored = datasets.Dataset.from_list(rows, features=features)
        stored.to_parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    found = read({"kind": "hub", "name": str(tmp_path)})
    assert found == {"train": EXAMPLES, "dev": EXAMPLES, "test": EXAMPLES}


def test_a_class_number_without_a_name_is_refused_in_a_list_of_tags() -> None:
    cell = Cell([0, -1], "row 3, column 'slots'", ["O", "B-album"], " ", "")
    message = r"row 3, column 'slots': expected a class number from 0 to 1, found -1"
    with pytest.raises(DataError, match=message):
        TagsColumn.from_cell(cell)


@pytest.mark.parametrize("kind", ["csv", "hub"])
def test_new_content_of_the_same_time_is_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    splits = {"train": "train[:50%]", "dev": "train[50%:]"} | {"test": None}
    files = dict.fromkeys(("train", "dev"), str(folder / "train.csv"))
    raw = {"csv": {"splits": files}, "hub": {"name": str(folder), "splits": splits}}[kind]
    found = []
    for intent in ("old", "new"):
        (folder / "train.csv").write_text(f"text,intent\na,{intent}\nb,{intent}\n")
        os.utime(folder / "train.csv", (0, 0))
        section = TypeAdapter(DatasetSection).validate_python({"kind": kind, **raw})
        rows = read_splits(section, {"intent": "label"})["train"]
        found.append((rows[0].labels["intent"], section.fingerprint()))
    assert [intent for intent, _ in found] == ["old", "new"]
    assert found[0][1] != found[1][1]


def test_sample_offers_intent_and_slots(sample: Splits) -> None:
    assert read({"kind": "sample"}) == sample


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    raw = seq_in_out(
        tmp_path, words="one\u2028two three\nfour\u00a0five\n", tags="O B-x\nO\n", labels="a\nb\n"
    )
    assert read(raw)["train"] == [
        Example(("one\u2028two", "three"), {"intent": "a", "slots": ("O", "B-x")}),
        Example(("four\u00a0five",), {"intent": "b", "slots": ("O",)}),
    ]


def test_windows_line_ends_and_byte_order_marks_are_dropped(tmp_path: Path) -> None:
    raw = seq_in_out(
        tmp_path, words="\ufeffa b\r\nc\r\n", tags="\ufeffO O\r\nO\r\n", labels="\ufeffx\r\n\r\n"
    )
    assert read(raw)["train"] == [
        Example(("a", "b"), {"intent": "x", "slots": ("O", "O")}),
        Example(("c",), {"slots": ("O",)}),
    ]


def test_csv_with_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    raw = table(tmp_path, "csv", "\ufefftext,intent\r\na b,x\r\n")
    assert read(raw, {"intent": "label"})["train"] == [Example(("a", "b"), {"intent": "x"})]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_missing_file_is_named(tmp_path: Path, kind: str) -> None:
    path = str(tmp_path / "none")
    with pytest.raises(DataError, match=r"/none: there is no such file"):
        read({"kind": kind, "splits": {"train": path, "dev": path}})


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train/seq\.in: cannot read the file: No such file"):
        read({"kind": "seq_in_out", "path": str(tmp_path)})


def test_files_of_different_length_are_named_with_the_line(tmp_path: Path) -> None:
    raw = seq_in_out(tmp_path, words="a\nb\nc\n", tags="O\nO\n", labels="x\ny\nz\n")
    with pytest.raises(DataError, match=r"train/seq\.out:2: .* seq\.in 3, seq\.out 2, label 3"):
        read(raw)


def test_wrong_number_of_tags_is_named_with_the_line(tmp_path: Path) -> None:
    raw = seq_in_out(tmp_path, words="a\nb c\n", tags="O\nO\n", labels="x\ny\n")
    with pytest.raises(DataError, match=r"seq\.out:2: expected 2 tags, .*seq\.in, found 1"):
        read(raw)


def test_wrong_number_of_tags_in_a_table_is_named_with_the_row(tmp_path: Path) -> None:
    raw = table(tmp_path, "csv", "text,slots\na,O\nb c,O O O\n")
    with pytest.raises(DataError, match=r"rows\.csv:3: expected 2 tags .*found 3"):
        read(raw, {"slots": "tags"})


def test_empty_sentence_is_named(tmp_path: Path) -> None:
    raw = seq_in_out(tmp_path, words="a\n \n", tags="O\n\n", labels="x\ny\n")
    with pytest.raises(DataError, match=r"seq\.in:2: empty sentence"):
        read(raw)
    with pytest.raises(DataError, match=r"rows\.csv:3: empty sentence in column 'text'"):
        read(table(tmp_path, "csv", "text,intent\na,x\n,y\n"), {"intent": "label"})


def test_bytes_that_are_not_utf8_are_named_with_the_line(tmp_path: Path) -> None:
    raw = seq_in_out(tmp_path, words="a\nb\n", tags="O\nO\n", labels="x\ny\n")
    (tmp_path / "train" / "label").write_bytes(b"x\ncaf\xe9\n")
    with pytest.raises(DataError, match=r"label:2: not UTF-8 text \(byte 0xe9\)"):
        read(raw)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_table_that_is_not_utf8_is_named_with_the_line(tmp_path: Path, kind: str) -> None:
    raw = table(tmp_path, kind, "")
    (tmp_path / f"rows.{kind}").write_bytes(b"text,intent\ncaf\xe9,x\n")
    with pytest.raises(DataError, match=rf"rows\.{kind}:2: not UTF-8 text"):
        read(raw)


def test_missing_column_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    raw = table(tmp_path, "csv", "text,intents\na,x\n")
    with pytest.raises(DataError, match=r"no column 'intent'; .*: text, intents.*'intents'\?"):
        read(raw, {"intent": "label"})


def test_column_of_a_fixed_format_is_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'topic'; .*: intent, slots"):
        read({"kind": "seq_in_out", "path": str(tmp_path)}, {"topic": "label"})
    with pytest.raises(DataError, match=r"column 'slots' holds one tag per word"):
        read({"kind": "sample"}, {"slots": "label"})


@pytest.mark.parametrize("content", ["text,intent\n", "text,intent\n\n\n"])
def test_csv_without_rows_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"rows\.csv: expected rows, found none"):
        read(table(tmp_path, "csv", content), {"intent": "label"})


def test_csv_with_the_index_of_pandas_is_read(tmp_path: Path) -> None:
    content = ',text,intent,slots\n0,10\u00a0000 euros,pay,"B-n\nO"\n1,hello,greet,O\n'
    assert read(table(tmp_path, "csv", content))["train"] == [
        Example(("10\u00a0000", "euros"), {"intent": "pay", "slots": ("B-n", "O")}),
        Example(("hello",), {"intent": "greet", "slots": ("O",)}),
    ]


def test_csv_without_header_and_rows_is_named(tmp_path: Path) -> None:
    raw = table(tmp_path, "csv", "\n") | {"columns": ["text", "intent"]}
    with pytest.raises(DataError, match=r"rows\.csv: expected rows, found none"):
        read(raw, {"intent": "label"})


def test_a_list_is_no_label(tmp_path: Path) -> None:
    content = '{"text": "a", "intent": ["x", "y"]}\n'
    with pytest.raises(
        DataError, match=r"jsonl:1: column 'intent': expected one label, found \['x', 'y'\]"
    ):
        read(table(tmp_path, "jsonl", content), {"intent": "label"})


def test_empty_csv_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv:1: expected a header"):
        read(table(tmp_path, "csv", ""))


def test_broken_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl:1: not JSON: "):
        read(table(tmp_path, "jsonl", '{"text": \n'))
