"""`labels: {strip, lower, map}`: labels of classes, sets and tags written alike."""

import json
from pathlib import Path
from typing import Any

import pytest
from formats import SECTIONS, WriteRows

from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.formats.label_rules import LabelRules
from mtl_core.data.splits import read_file, read_splits
from mtl_core.errors import DataError
from mtl_core.study_file import override

LINES = [
    {"text": "a b", "c": " Pos", "s": ["X ", "y"], "t": ["B-PER", "O"], "n": 1},
    {"text": "c d", "c": "pos ", "s": ["x", "Y"], "t": ["O", "B-per"], "n": 2},
    {"text": "e f", "c": "2", "s": [], "t": ["B-loc", "I-loc"], "n": 3},
    {"text": "g h", "t": ["O", "O"]},
]
COLUMNS = {"c": "label", "s": "labels", "t": "tags", "n": "number"}


def section(path: Path, labels: dict[str, Any], **settings: Any) -> Any:
    raw = {"kind": "jsonl", "splits": {"train": str(path), "dev": str(path)}, **settings}
    return SECTIONS.validate_python(raw | {"labels": labels})


@pytest.fixture
def path(write_rows: WriteRows) -> Path:
    return write_rows("\n".join(json.dumps(line) for line in LINES))


def values(rows: list[Any], column: str) -> list[object]:
    return [row.labels.get(column) for row in rows]


def test_labels_stay_as_they_stand_without_rules(path: Path) -> None:
    rows = read_splits(section(path, {}), COLUMNS)["train"]
    assert values(rows, "c") == [" Pos", "pos ", "2", None]


def test_classes_sets_and_types_are_written_alike(path: Path) -> None:
    rules = {"strip": True, "lower": True, "map": {"per": "person", "x": "X", 2: "two"}}
    splits = read_splits(section(path, rules), COLUMNS)
    for rows in splits.values():
        assert values(rows, "c") == ["pos", "pos", "two", None]
        assert values(rows, "s") == [("X", "y"), ("X", "y"), (), None]
        assert values(rows, "t") == [
            ("B-person", "O"), ("O", "B-person"), ("B-loc", "I-loc"), ("O", "O")
        ]  # fmt: skip
        assert values(rows, "n") == [1.0, 2.0, 3.0, None]


def test_labels_that_become_one_in_a_set_count_once() -> None:
    rules, column = LabelRules(lower=True), LabelSetColumn("task", "s")
    assert column.rename(("A", "a"), rules.apply) == ("a", "a")
    from mtl_core.data.example import Example

    rows = [Example(("x",), {"s": ("a", "a")}), Example(("x",), {"s": ("a", "b")})]
    labels = column.collect({"train": rows, "dev": rows}, where="")
    assert dict(labels.frequencies) == {"a": 2, "b": 1}


def test_plain_tags_are_renamed_as_a_whole() -> None:
    rename = LabelRules(lower=True, map={"nnp": "NOUN"}).apply
    assert TagsColumn.rename(("NNP", "VB", "B-"), rename) == ("NOUN", "vb", "b-")


def test_a_label_that_no_row_has_is_told(path: Path) -> None:
    rules = {"strip": True, "lower": True, "map": {"Pos": "good"}}
    with pytest.raises(DataError, match=r"labels\.map: no row has the label 'Pos'; labels found: "
                                        r".*pos.*Did you mean 'pos'\?"):  # fmt: skip
        read_splits(section(path, rules), COLUMNS)


def test_filters_see_labels_as_they_stand_and_other_files_are_read_alike(path: Path) -> None:
    data = section(path, {"strip": True, "map": {"Pos": "good"}}, where={"c": " Pos"})
    assert values(read_splits(data, {"c": "label"})["dev"], "c") == ["good"]
    assert values(read_file(data, {"c": "label"}, path, split="test"), "c") == ["good"]


def test_rules_are_part_of_the_cache_key(path: Path) -> None:
    keys = [section(path, labels).cache_key() for labels in ({}, {"lower": True}, {"map": {1: 2}})]
    assert len({json.dumps(key, sort_keys=True) for key in keys}) == 3


def test_rules_can_be_set_from_the_command_line() -> None:
    raw = {"kind": "jsonl", "splits": {"train": "a", "dev": 0.5}}
    found = SECTIONS.validate_python(override(raw, {"labels.lower": True}))
    assert found.labels == LabelRules(lower=True)


def test_rules_for_data_without_names_of_labels_are_told(path: Path) -> None:
    with pytest.raises(DataError, match=r"^labels: no task on this data set has labels with names"):
        read_splits(section(path, {"lower": True}), {"n": "number"})
