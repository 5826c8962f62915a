"""Labels of one task from several data sets: one numbering, by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import RunConfigFactory

from mtl_core.assets import build_tasks, load_data
from mtl_core.data.arrays import LabelArray, Ragged
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames, Moments
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.merge import merge_labels
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import DataError

LABEL = LabelColumn("t", "c")


def dataset(
    name: str, labels: LabelNames, values: LabelArray, column: AnyColumn = LABEL
) -> EncodedDataset:
    rows = Ragged.from_rows([[1]] * 3)
    split = EncodedSplit(rows, rows, TaskLabels([(column, values)]))
    return EncodedDataset(name, {"train": split}, {"t": labels}, "")


def names_of(dataset: EncodedDataset) -> list[str]:
    values = dataset.splits["train"].labels["t"]
    ids = values.values if isinstance(values, Ragged) else values
    return [dataset.labels["t"].all[number] if number >= 0 else "" for number in ids]


def test_labels_keep_their_names_and_missing_ones_stay_missing() -> None:
    first = dataset("a", LabelNames(("x", "z"), ("y",), (5, 2)), np.array([1, 2, -100], np.int32))
    second = dataset("b", LabelNames(("y", "z"), (), (3, 4)), np.array([0, 1, 1], np.int32))
    merged = merge_labels({"a": first, "b": second})
    # What is unseen in one data set and trained in another is trained.
    expected = LabelNames(("x", "y", "z"), (), (5, 3, 6))
    assert merged["a"].labels["t"] == merged["b"].labels["t"] == expected
    assert names_of(merged["a"]) == names_of(first) == ["z", "y", ""]
    assert names_of(merged["b"]) == names_of(second)


def test_tags_of_words_are_renumbered() -> None:
    tags = Ragged.from_rows([[0, 1], [-100], [1]])
    first = dataset("a", LabelNames(("B-b", "O"), (), (1, 2)), tags, TagsColumn("t", "c"))
    second = dataset("b", LabelNames(("B-a", "O"), (), (1, 1)), tags, TagsColumn("t", "c"))
    merged = merge_labels({"a": first, "b": second})
    assert names_of(merged["a"]) == ["B-b", "O", "", "O"]
    assert names_of(merged["b"]) == ["B-a", "O", "", "O"]


def test_indicators_move_to_their_labels() -> None:
    values = np.array([[1, 0], [0, 1], [-100, -100]], np.int32)
    sets = LabelSetColumn("t", "c")
    first = dataset("a", LabelNames(("x", "z"), (), (1, 1)), values, sets)
    second = dataset("b", LabelNames(("y",), (), (3,)), np.ones((3, 1), np.int32), sets)
    merged = merge_labels({"a": first, "b": second})
    assert merged["a"].splits["train"].labels["t"].tolist() == [  # type: ignore[union-attr]
        [1, 0, 0], [0, 0, 1], [-100, -100, -100],
    ]  # fmt: skip


@pytest.mark.parametrize("other", [[10.0, 14], [10.0], [3.0, 3.0]])
def test_moments_are_those_of_all_rows_together(other: list[float]) -> None:
    one, two = np.array([1.0, 2, 6]), np.array(other)
    parts = [Moments(len(x), x.mean(), x.std()) for x in (one, two)]
    merged = NumberColumn("t", "c").merge(parts)
    every = np.concatenate([one, two])
    assert (merged.mean, merged.deviation) == pytest.approx((every.mean(), every.std()))
    assert merged.rows == len(every)


def test_a_data_set_alone_is_left_as_it_is() -> None:
    alone = dataset("a", LabelNames(("x",), (), (1,)), np.array([0, 0, 0], np.int32))
    assert merge_labels({"a": alone})["a"].splits is not None
    assert merge_labels({"a": alone})["a"].splits["train"] is alone.splits["train"]


def test_a_data_set_of_empty_sets_takes_labels_from_another(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    datasets = {}
    for name, topics in {"some": [["x"], [], ["y", "x"]], "none": [[], [], []]}.items():
        rows = "\n".join(json.dumps({"text": "play it", "topics": labels}) for labels in topics)
        path = tmp_path / f"{name}.jsonl"
        path.write_text(rows, encoding="utf-8")
        splits = dict.fromkeys(("train", "dev"), str(path))
        datasets[f"datasets.{name}"] = {"kind": "jsonl", "splits": splits}
    task = {"kind": "multilabel", "column": "topics"}
    both = run_config({**datasets, "tasks.topics": {**task, "dataset": ["some", "none"]}})
    for _ in range(2):  # built, and opened
        found = load_data(both).datasets
        labels = {name: found[name].splits["train"].labels["topics"] for name in ("some", "none")}
        assert labels["some"].tolist() == [[1, 0], [0, 0], [1, 1]]  # type: ignore[union-attr]
        assert labels["none"].tolist() == [[0, 0]] * 3  # type: ignore[union-attr]
    del datasets["datasets.some"]
    alone = run_config({**datasets, "tasks.topics": {**task, "dataset": "none"}})
    with pytest.raises(DataError, match=r"'topics': no row of the train split has any label"):
        build_tasks(alone, load_data(alone).datasets)
