"""Tables: pairs, sets of labels, numbers, features and answers in cells."""

import json
import math
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import SECTIONS, WriteRows, read

from mtl_core.data.example import Answer, ColumnKind, Example
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError


def test_tables_hold_pairs_sets_numbers_and_features(write_rows: WriteRows) -> None:
    rows = "a b\tx y\tred, blue\t0.5\t1 2.5\nc\tz\t\t-3\t0 1\n"
    path = write_rows(rows)
    columns: dict[str, ColumnKind] = {"colours": "labels", "rating": "number"}
    section = SECTIONS.validate_python(
        {
            "kind": "csv",
            "delimiter": "\t",
            "columns": ["left", "right", "colours", "rating", "vector"],
            "text": "left",
            "text_pair": "right",
            "features": "vector",
            "splits": {"train": path, "dev": path},
        }
    )
    assert read_splits(section, columns)["train"] == [
        Example(("a", "b"), {"colours": ("red", "blue"), "rating": 0.5}, "x y", (1.0, 2.5)),
        Example(("c",), {"colours": (), "rating": -3.0}, "z", (0.0, 1.0)),
    ]


def test_answers_come_from_tables_as_the_hub_keeps_them(write_rows: WriteRows) -> None:
    context = "  Warsaw  is the capital. "  # spaces count
    row = {"question": "what is it ?", "context": context}
    answers = {"text": ["capital"], "answer_start": [17]}
    lines = [{**row, "answers": answers}, {**row, "answers": {"text": [], "answer_start": []}}]
    path = write_rows("\n".join(json.dumps(line) for line in lines))
    columns: dict[str, ColumnKind] = {"answers": "answers"}
    found = read(path, "jsonl", columns, text="question", text_pair="context")
    assert [example.labels["answers"] for example in found] == [(Answer("capital", 17),), ()]
    assert all(example.second == context for example in found)
    wrong = write_rows(json.dumps({**row, "answers": {"text": ["x"], "answer_start": [0]}}))
    with pytest.raises(DataError, match=r":1: column 'answers': the answer 'x' does not stand"):
        read(wrong, "jsonl", columns, text="question", text_pair="context")
    for bad in ({"text": ["a", "b"], "answer_start": [1]}, {"text": None, "answer_start": None}, 5):
        wrong = write_rows(json.dumps({**row, "answers": bad}), "bad.jsonl")
        with pytest.raises(DataError, match=r":1: column 'answers': .*lists text and answer_st"):
            read(wrong, "jsonl", columns, text="question", text_pair="context")
    with pytest.raises(DataError, match=r"answers need `text_pair`, the column of the contexts"):
        read(path, "jsonl", columns, text="question")


def test_quotes_are_text_when_nothing_quotes(write_rows: WriteRows) -> None:
    path = write_rows('label\ttext\npos\t"so" good\nneg\tbad "\n', "rows.tsv")
    found = read(path, "csv", {"label": "label"}, delimiter="\t", quote=None)
    assert [example.words for example in found] == [('"so"', "good"), ("bad", '"')]


def test_class_numbers_are_read_alike_as_integers_and_floats(tmp_path: Path) -> None:
    """A column of floats is what pandas makes of integers once a label is missing."""
    columns: dict[str, ColumnKind] = {"topic": "label", "topics": "labels", "rating": "number"}
    rows = {"text": ["a", "b"], "topic": [1, 2], "topics": [[1], [2]], "rating": [1, 2]}
    floats = {
        "text": ["a", "b", "c"],
        "topic": [1.0, 2.0, math.nan],
        "topics": [[1.0], [2.0], None],
        "rating": [1.0, 2.0, math.nan],
    }
    for name, content in (("whole", rows), ("floats", floats)):
        pq.write_table(pa.table(content), tmp_path / f"{name}.parquet")
    whole = read(tmp_path / "whole.parquet", "parquet", columns)
    *labelled, missing = read(tmp_path / "floats.parquet", "parquet", columns)
    assert labelled == whole
    assert whole[0].labels == {"topic": "1", "topics": ("1",), "rating": 1.0}
    assert missing.labels == {}


def test_an_empty_cell_is_an_empty_set_of_labels(write_rows: WriteRows) -> None:
    path = write_rows("text,topics,topic\na,,\nb,x,y\n")
    found = read(path, "csv", {"topics": "labels", "topic": "label"})
    assert [example.labels for example in found] == [
        {"topics": ()}, {"topics": ("x",), "topic": "y"}
    ]  # fmt: skip


def test_a_blank_cell_is_no_label(write_rows: WriteRows) -> None:
    found = read(write_rows("text,topic\na,  \nb,x\n"), "csv", {"topic": "label"})
    assert [example.labels for example in found] == [{}, {"topic": "x"}]


def test_a_number_is_a_set_of_one_label(write_rows: WriteRows) -> None:
    path = write_rows('{"text": "a", "topics": 3}\n{"text": "b", "topics": 7}\n')
    found = read(path, "jsonl", {"topics": "labels"})
    assert [example.labels for example in found] == [{"topics": ("3",)}, {"topics": ("7",)}]


@pytest.mark.parametrize("kind", ["tags", "labels"])
def test_null_is_no_label_in_a_list(write_rows: WriteRows, kind: ColumnKind) -> None:
    path = write_rows('{"text": "a b", "t": ["x", "y"]}\n{"text": "a b", "t": ["x", null]}\n')
    with pytest.raises(DataError, match=r"rows\.txt:2: column 't': expected one label, found null"):
        read(path, "jsonl", {"t": kind})


def test_cells_may_be_as_long_as_lines(write_rows: WriteRows) -> None:
    [found] = read(write_rows(f"text,label\n{'word ' * 150_000},x\n"), "csv", {"label": "label"})
    assert len(found.words) == 150_000


def test_an_empty_list_is_an_empty_set_of_labels(write_rows: WriteRows) -> None:
    path = write_rows(
        '{"text": "a", "topics": []}\n{"text": "b", "topics": ["x"]}\n{"text": "c"}\n'
    )
    found = read(path, "jsonl", {"topics": "labels"})
    assert [example.labels for example in found] == [{"topics": ()}, {"topics": ("x",)}, {}]


@pytest.mark.parametrize(("delimiter", "found"), [(",", ";"), (";", ","), ("\t", "|"), (",", "\t")])
def test_columns_that_something_else_parts_are_told(
    tmp_path: Path, delimiter: str, found: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"text{found}label\nplay{found}a\n")
    with pytest.raises(
        DataError, match=rf"rows\.csv: its columns are parted by {re.escape(repr(found))}"
    ) as info:
        read(path, "csv", {"label": "label"}, delimiter=delimiter)
    assert f"`delimiter: {json.dumps(found)}`" in str(info.value)
