"""Cells of another form than the column wants: lists written as text, numbers, dates, nothing."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import SECTIONS, WriteRows, read

from mtl_core.data.example import ColumnKind
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

LISTS: list[list[Any]] = [
    ["calm", "loud"], ["it's", 'say "x"'], ["a, b", "[c]"], ["caf\u00e9", "\\"], ["x"], [],
    ["a" * 99, "b"], ["new\nline", "tab\t"], [1, 0, 12], [0.5, -2e-7], ["None", "nan"],
]  # fmt: skip


def table(cells: list[str], column: str, **others: str) -> str:
    frame = pd.DataFrame({"text": ["one two"] * len(cells), column: cells, **others})
    return frame.to_csv(index=False)


@pytest.mark.parametrize("items", LISTS, ids=str)
@pytest.mark.parametrize("write", [str, json.dumps, lambda items: str(np.array(items))])
def test_a_list_that_was_written_as_text_is_that_list(
    items: list[Any], write: Any, write_rows: WriteRows
) -> None:
    path = write_rows(table([write(items)], "labels"))
    [row] = read(path, "csv", {"labels": "labels"})
    assert [*row.labels["labels"]] == [str(item) for item in items]


@pytest.mark.parametrize("items", [("calm", "loud"), {"calm"}, ("one",), ()], ids=str)
def test_tuples_and_sets_of_labels_are_sets_of_labels(items: Any, write_rows: WriteRows) -> None:
    [row] = read(write_rows(table([str(items)], "labels")), "csv", {"labels": "labels"})
    assert set(row.labels["labels"]) == set(items)


def test_words_and_tags_may_be_lists_written_as_text(write_rows: WriteRows) -> None:
    frame = pd.DataFrame({"text": [["New York", "is", "big"]], "tags": [["B-place", "O", "O"]]})
    arrays = frame.map(np.array)
    for written in (frame, arrays, frame.map(json.dumps)):
        path = write_rows(written.to_csv(index=False))
        [row] = read(path, "csv", {"tags": "tags"})
        assert row.words == ("New York", "is", "big")
        assert row.labels == {"tags": ("B-place", "O", "O")}


@pytest.mark.parametrize(
    "text", ["[laughs] hello [world]", "[1, 2]", "[a, b]", "['a' b]", "[]", "["]
)
def test_running_text_may_stand_in_brackets(text: str, write_rows: WriteRows) -> None:
    [row] = read(write_rows(pd.DataFrame({"text": [text]}).to_csv(index=False)), "csv", {})
    assert row.words == tuple(text.split())


@pytest.mark.parametrize("kind", ["labels", "tags", "label"])
@pytest.mark.parametrize(
    "cell", ["[calm, loud]", "['calm', 'loud'", "['calm', loud]", "['a' ... 'b']"]
)
def test_a_list_that_cannot_be_read_is_told(
    kind: ColumnKind, cell: str, write_rows: WriteRows
) -> None:
    path = write_rows(table([cell + "]" * (not cell.endswith("]"))], "t"))
    if cell == "['calm', 'loud'":
        path = write_rows(table(["['calm', 'loud]"], "t"))
    with pytest.raises(
        DataError, match=r"rows\.txt:2: column 't': this looks like a list, but cann"
    ):
        read(path, "csv", {"t": kind})


def test_a_list_is_no_single_label(write_rows: WriteRows) -> None:
    message = (
        r":2: column 't': expected one label, found the list \['a'.*kind multilabel takes lists"
    )
    with pytest.raises(DataError, match=message):
        read(write_rows(table(["['a', 'b']"], "t")), "csv", {"t": "label"})


def test_a_label_may_stand_in_brackets(write_rows: WriteRows) -> None:
    rows = read(write_rows(table(["[neutral]", "(x)"], "t")), "csv", {"t": "label"})
    assert [row.labels["t"] for row in rows] == ["[neutral]", "(x)"]
    [row] = read(write_rows(table(["[neutral]"], "t")), "csv", {"t": "labels"})
    assert row.labels["t"] == ("[neutral]",)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_features_are_a_number_or_a_list_of_numbers(kind: str, tmp_path: Path) -> None:
    rows = [(3, [3]), (2.5, [2.5]), ([1, 2], [1, 2]), ("1 2.5", [1, 2.5]), ("[1.0, 2]", [1, 2])]
    rows += [("[1. 2.5]", [1, 2.5])]
    for value, expected in rows:
        frame = pd.DataFrame({"text": ["a"], "f": [value]})
        buffer = io.BytesIO()
        write = {"csv": frame.to_csv, "parquet": frame.to_parquet}
        if kind == "jsonl":
            frame.to_json(buffer, orient="records", lines=True)
        else:
            write[kind](buffer, index=False)
        (tmp_path / "rows").write_bytes(buffer.getvalue())
        [row] = read(tmp_path / "rows", kind, {}, features="f")
        assert [*row.features] == expected


@pytest.mark.parametrize("value", [None, "x", "1,2", {"a": 1}, [1, None], [[1]], "[1, x]", "nan"])
def test_features_that_are_no_numbers_are_told(value: object, write_rows: WriteRows) -> None:
    path = write_rows(json.dumps({"text": "a", "f": value}))
    with pytest.raises(DataError, match=r"rows\.txt:1: column 'f': "):
        read(path, "jsonl", {}, features="f")


def test_a_number_or_date_is_a_text(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows('{"text": 12}\n{"text": 1.5}\n{"text": true}\n{"text": ["a", 7]}\n')
    assert [row.words for row in read(path, "jsonl", {})] == [
        ("12",),
        ("1.5",),
        ("True",),
        ("a", "7"),
    ]
    dates = pa.table({"text": pa.array([0], pa.timestamp("s")), "pair": pa.array([1], pa.date32())})
    pq.write_table(dates, tmp_path / "dates.parquet")
    [row] = read(tmp_path / "dates.parquet", "parquet", {}, text_pair="pair")
    assert (row.words, row.second) == (("1970-01-01", "00:00:00"), "1970-01-02")


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], [{"a": 1}]])
def test_what_is_no_text_is_told(value: object, write_rows: WriteRows) -> None:
    path = write_rows(json.dumps({"text": value, "pair": "x"}) + "\n")
    with pytest.raises(DataError, match=r"rows\.txt:1: column 'text': expected a text, found "):
        read(path, "jsonl", {}, text_pair="pair")
    with pytest.raises(DataError, match=r"rows\.txt:1: column 'text': expected a text, found "):
        read(path, "jsonl", {}, text="pair", text_pair="text")


@pytest.mark.parametrize("value", [None, "", " \u00a0", []])
def test_an_empty_text_is_told_or_left_out(value: object, write_rows: WriteRows) -> None:
    lines = [{"text": "a", "pair": "b"}, {"text": value, "pair": "b"}, {"text": "a", "pair": value}]
    path = write_rows("\n".join(json.dumps(line) for line in lines))
    with pytest.raises(DataError) as error:
        read(path, "jsonl", {}, text_pair="pair")
    assert [line.partition(";")[0].rpartition("rows.txt")[2] for line in error.value.lines] == [
        ":2: empty sentence in column 'text'", ":3: empty sentence in column 'pair'"
    ]  # fmt: skip
    assert len(read(path, "jsonl", {}, text_pair="pair", on_empty="skip")) == 1


def test_half_a_surrogate_pair_in_json_is_told_with_its_line(write_rows: WriteRows) -> None:
    path = write_rows('{"text": "a"}\n{"text": "cut \\ud83d"}\n{"text": "whole \\ud83d\\ude00"}\n')
    with pytest.raises(DataError, match=r"^\S*rows\.txt:2: expected text, found half a character"):
        read(path, "jsonl", {})


@pytest.mark.parametrize("splits", [{"train": "a", "dev": "b"}, {"train": ["a", "b"], "dev": 0.5}])
def test_features_of_other_sizes_in_other_files_are_told(
    splits: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("text,f\na,1 2\n")
    Path("b").write_text("text,f\na,1 2 3\n")
    section = SECTIONS.validate_python({"kind": "csv", "splits": splits, "features": "f"})
    message = r"^features: expected 2 numbers in every row, .* found a row of \w+ with 3$"
    with pytest.raises(DataError, match=message):
        read_splits(section, {})
