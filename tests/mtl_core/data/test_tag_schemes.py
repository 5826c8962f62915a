"""Tags of other schemes in tables and in seq_in_out, and what is told of tags without a scheme."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from formats import SECTIONS, WriteRows, read

from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import ColumnKind
from mtl_core.data.notes import SplitNotes
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

NER: dict[str, ColumnKind] = {"ner": "tags"}
ROWS = [("B-A E-A O", "a b c"), ("S-B O", "d e"), ("O", "f")]
LINES = "\n".join(json.dumps({"text": text, "ner": tags}) for tags, text in ROWS)
IOB2 = [("B-A", "I-A", "O"), ("B-B", "O"), ("O",)]


def tags_of(rows: Any) -> list[Any]:
    return [row.labels.get("ner") for row in rows]


@pytest.mark.parametrize("as_list", [False, True])
def test_json_lines_with_a_scheme(write_rows: WriteRows, as_list: bool) -> None:
    rows = [json.loads(line) for line in LINES.split("\n")]
    if as_list:
        rows = [{key: value.split() for key, value in row.items()} for row in rows]
    path = write_rows("\n".join(map(json.dumps, rows)))
    assert tags_of(read(path, "jsonl", NER, schemes={"ner": "iobes"})) == IOB2


def test_csv_and_a_hub_folder_with_a_scheme(write_rows: WriteRows, tmp_path: Path) -> None:
    lines = ["text,ner", *(f"{text},{tags}" for tags, text in ROWS)]
    found = read(write_rows("\n".join(lines)), "csv", NER, schemes={"ner": "iobes"})
    assert tags_of(found) == IOB2
    names = ["O", "B-A", "E-A", "S-B"]
    features = datasets.Features(
        {"text": datasets.List(datasets.Value("string")),
         "ner": datasets.List(datasets.ClassLabel(names=names))}
    )  # fmt: skip
    rows = [{"text": text.split(), "ner": tags.split()} for tags, text in ROWS]
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "hub/train.parquet")
    raw = {"kind": "hub", "name": str(tmp_path / "hub"), "schemes": {"ner": "iobes"},
           "splits": {"dev": "train", "test": None}}  # fmt: skip
    assert tags_of(read_splits(SECTIONS.validate_python(raw), NER)["train"]) == IOB2


def test_letters_alone_and_io_in_a_table(write_rows: WriteRows) -> None:
    rows = [{"text": "a b c", "ner": ["B", "I", "O"], "io": ["X", "X", "0"]}, {"text": "d"}]
    path = write_rows("\n".join(json.dumps({"ner": None, "io": None, **row}) for row in rows))
    columns: dict[str, ColumnKind] = {**NER, "io": "tags"}
    first, second = read(path, "jsonl", columns, schemes={"ner": "iob2", "io": "io"})
    assert first.labels == {"ner": ("B-ner", "I-ner", "O"), "io": ("B-X", "I-X", "O")}
    assert second.labels == {}


def test_numbers_get_names(write_rows: WriteRows) -> None:
    path = write_rows(json.dumps({"text": ["a", "b"], "ner": [3, 0]}))
    found = read(path, "jsonl", NER, labels={"map": {0: "O", 3: "B-ORG"}})
    assert tags_of(found) == [("B-ORG", "O")]


def test_seq_in_out_with_a_scheme(tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / split).mkdir()
        for name, lines in {
            "seq.in": [text for _, text in ROWS],
            "seq.out": ["B-A L-A O", "U-B O", ""],
            "label": ["x", "", "y"],
        }.items():
            (tmp_path / split / name).write_text("\n".join(lines) + "\n")
    raw = {"kind": "seq_in_out", "path": tmp_path, "splits": {"test": None}}
    columns: dict[str, ColumnKind] = {"slots": "tags", "intent": "label"}
    section = SECTIONS.validate_python({**raw, "schemes": {"slots": "iobes"}})
    found = read_splits(section, columns)["train"]
    assert [row.labels for row in found] == [
        {"slots": ("B-A", "I-A", "O"), "intent": "x"}, {"slots": ("B-B", "O")}, {"intent": "y"},
    ]  # fmt: skip
    section = SECTIONS.validate_python({**raw, "schemes": {"slots": "iob1"}})
    with pytest.raises(DataError) as error:
        read_splits(section, columns)
    ends = [line.partition("seq.out:")[2] for line in error.value.lines]
    assert ends[0].startswith("1: column 'slots', word 2: expected a tag of iob1 (O, I-TYPE, B-TY")
    assert ends[1].startswith("2: column 'slots', word 1: expected a tag of iob1")


def test_a_tag_that_is_not_of_the_scheme_is_told_with_row_and_word(write_rows: WriteRows) -> None:
    message = (
        r"rows\.txt:2: column 'ner', word 1: expected a tag of iob1 .*, found 'S-B'; all .*iobes"
    )
    with pytest.raises(DataError, match=message):
        read(write_rows(LINES), "jsonl", NER, schemes={"ner": "iob1"})


def test_a_scheme_of_another_column_is_told(write_rows: WriteRows) -> None:
    message = r"no task reads tags from a column 'nre'; columns of tags: ner\. Did you mean 'ner'\?"
    with pytest.raises(DataError, match=message):
        read(write_rows(LINES), "jsonl", NER, schemes={"nre": "iobes"})


@pytest.mark.parametrize(
    ("tags", "end"),
    [
        ("B-A E-A", r"all tags of the column fit `schemes: \{ner: iobes\}`$"),
        ("B I O", r"all tags of the column fit `schemes: \{ner: iob2\}`, or .*iobes\}`$"),
        ("A O", r"all tags of the column fit `schemes: \{ner: io\}` where neighbouring .*"),
        (
            "0 3 4",
            r"`labels: \{map: \{0: O, 1: B-TYPE, \.\.\.\}\}` says what stands behind numbers$",
        ),
        ("B-A X-A", r"set the task's scheme: plain\)$"),
    ],
)
def test_tags_of_no_scheme_are_told_with_the_setting_that_reads_them(
    write_rows: WriteRows, tags: str, end: str
) -> None:
    words = " ".join("w" for _ in tags.split())
    rows = read(write_rows(json.dumps({"text": words, "ner": tags})), "jsonl", NER)
    column = TagsColumn("ner", "ner", is_bio=True)
    with pytest.raises(DataError, match=rf"column 'ner' of task 'ner' holds the tag .*{end}"):
        column.collect({"train": rows, "dev": rows}, where="data set 'd'")


def test_iob1_that_is_read_as_iob2_is_noted(write_rows: WriteRows) -> None:
    content = "Ann I-PER\nLee I-PER\nin O\nBonn I-LOC\n\nBob I-PER\nEve B-PER\n"
    rows = read(write_rows(content), "conll", NER, columns={"ner": 1})
    column = TagsColumn("names", "ner", is_bio=True)
    labels = column.collect({"train": rows, "dev": rows}, where="")
    notes = SplitNotes("train")
    column.inspect(column.encode(rows, labels, None), labels, notes)
    [note] = notes.found
    assert (note.count, note.of, note.level) == (3, 4, "serious")
    assert note.text.endswith("; if they are IOB1, set `schemes: {ner: iob1}` in the data set")
