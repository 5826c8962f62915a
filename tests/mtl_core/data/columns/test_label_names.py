"""Names of labels over splits."""

import pytest

from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.example import Example
from mtl_core.errors import DataError

INTENT = LabelColumn("intent", "intent")


def test_unseen_labels_come_after_the_trained_ones() -> None:
    splits = {
        "train": [Example(("x",), {"intent": "m"}), Example(("x",), {"intent": "c"})],
        "dev": [Example(("x",), {"intent": "c"}), Example(("x",), {"intent": "b"})],
        "test": [Example(("x",), {"intent": "a"})],
    }
    assert INTENT.collect(splits, where="d") == LabelNames(("c", "m"), ("a", "b"), (1, 1))


@pytest.mark.parametrize("split", ["train", "dev"])
def test_split_without_labels_of_a_task_is_refused(split: str) -> None:
    splits = {name: [Example(("x",), {"intent": "a"})] for name in ("train", "dev")}
    with pytest.raises(DataError, match=rf"{split}.*intent"):
        INTENT.collect(splits | {split: [Example(("x",))]}, where="d")
