"""Sets of labels in other forms: a column for each label, and rows of 0 and 1."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from formats import SECTIONS
from sklearn.preprocessing import MultiLabelBinarizer

from mtl_core.config import RunConfig
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

NAMES = ("rude", "threat", "spam")
SETS: list[set[str]] = [{"rude"}, set(), {"threat", "spam"}, {"spam"}, set(NAMES)]


def bits() -> Any:
    return MultiLabelBinarizer(classes=NAMES).fit_transform(SETS)


def encoded(path: Path, column: LabelSetColumn) -> Any:
    section = SECTIONS.validate_python(
        {"kind": path.suffix[1:], "splits": {"train": path, "dev": path}}
    )
    splits = read_splits(section, column.reads)
    labels = column.collect(splits, where="here")
    order = [labels.all.index(name) for name in NAMES]
    return column.encode(splits["train"], labels, None)[:, order]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
@pytest.mark.parametrize("form", [int, bool, float, str])
def test_a_column_for_each_label_is_a_set(kind: str, form: type, tmp_path: Path) -> None:
    frame = pd.DataFrame(bits().astype(form), columns=list(NAMES)).assign(text="a b")
    path = tmp_path / f"rows.{kind}".replace(".json", ".jsonl")
    writers = {"csv": frame.to_csv, "parquet": frame.to_parquet}
    if kind == "json":
        frame.to_json(path, orient="records", lines=True)
    else:
        writers[kind](path, index=False)
    column = LabelSetColumn("toxic", "rude, threat, spam", columns=NAMES)
    assert np.array_equal(encoded(path, column), bits())


def test_a_row_that_lacks_one_of_the_columns_lacks_the_set(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,rude,threat,spam\na,1,0,0\nb,1,,0\nc,-1,-1,-1\nd,0,1,1\n")
    found = encoded(path, LabelSetColumn("toxic", "", columns=NAMES))
    assert found.tolist() == [[1, 0, 0], [-100] * 3, [-100] * 3, [0, 1, 1]]


@pytest.mark.parametrize("cell", ["0.83", "2", "no", "threat"])
def test_a_column_that_holds_something_else_is_told(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"text,rude,threat,spam\na,1,0,0\nb,1,{cell},0\n")
    message = rf"column 'threat' of task 'toxic': expected 0 or 1, found '{cell}'"
    with pytest.raises(DataError, match=message):
        encoded(path, LabelSetColumn("toxic", "", columns=NAMES))


@pytest.mark.parametrize("form", [int, float, bool])
def test_multi_hot_rows_are_read_by_their_names(form: type, tmp_path: Path) -> None:
    rows = bits().astype(form).tolist()
    lines = [json.dumps({"text": "a", "labels": row}) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    pd.DataFrame({"text": "a", "labels": rows}).to_csv(tmp_path / "rows.csv", index=False)
    for name in ("rows.jsonl", "rows.csv"):
        column = LabelSetColumn("toxic", "labels", names=NAMES)
        assert np.array_equal(encoded(tmp_path / name, column), bits())
        with pytest.raises(
            DataError,
            match=r"here: column 'labels' of task 'toxic': all rows are as long and hold 0 and 1, "
            r"as in \[\w+, \w+, \w+\]: .*: tasks\.toxic\.names: \[",
        ):
            encoded(tmp_path / name, LabelSetColumn("toxic", "labels"))


@pytest.mark.parametrize("wrong", [[1, 0], [1, 0, 2], [1, 0, 0, 1]])
def test_rows_that_do_not_fit_the_names_are_told(wrong: list[int], tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a", "labels": row}) for row in ([0, 1, 0], wrong)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"expected 3 times 0 or 1, one for each of `names`, found"):
        encoded(tmp_path / "rows.jsonl", LabelSetColumn("toxic", "labels", names=NAMES))


def test_sets_of_digits_are_names_where_they_are_no_rows_of_bits(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a", "labels": row}) for row in ([0, 1], [1], [0, 2])]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    column = LabelSetColumn("digits", "labels")
    section = {"kind": "jsonl", "splits": {"train": tmp_path / "rows.jsonl", "dev": 0.4}}
    splits = read_splits(SECTIONS.validate_python(section), column.reads)
    assert column.collect(splits, where="").all == ("0", "1", "2")


def config(task: Mapping[str, Any]) -> RunConfig:
    return RunConfig.model_validate(
        {
            "datasets": {"d": {"kind": "csv", "splits": {"train": "rows.csv", "dev": 0.5}}},
            "tasks": {"toxic": {"kind": "multilabel", "dataset": "d", **task}},
        }
    )


def test_a_study_file_takes_both_forms() -> None:
    [column] = config({"column": ["rude", "spam"]}).columns("d")
    assert column == LabelSetColumn("toxic", "rude, spam", columns=("rude", "spam"))
    assert column.reads == {"rude": "label", "spam": "label"}
    [column] = config({"column": "labels", "names": ["a", "b"]}).columns("d")
    assert column == LabelSetColumn("toxic", "labels", names=("a", "b"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"column": ["a", "b"], "names": ["a", "b"]}, "labels are named by their columns"),
        ({"column": ["a", "b"], "kind": "classification"},
         "expected one column for kind classification, found a list of 2; kind multilabel takes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(task: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(task)
