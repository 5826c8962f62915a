"""The rows of a split that do not stand in train, against encoding those rows alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import questions
from transformers import PreTrainedTokenizerFast

from mtl_core.data.arrays import Ragged
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.data.notes import DataNote
from mtl_core.data.store import EncodedDataset
from mtl_core.data.unseen import unseen_rows
from mtl_core.model.backbones.tokenizer import load_tokenizer

COLUMNS = [
    LabelColumn("a", "a"), LabelSetColumn("b", "b"), NumberColumn("c", "c"), TagsColumn("d", "d")
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


def plain(split: EncodedSplit) -> dict[str, object]:
    """All arrays of a split as lists."""
    found: dict[str, object] = {
        "features": None if split.features is None else split.features.tolist()
    }
    ragged = {
        name: getattr(split, name)
        for name in ("token_ids", "word_starts", "word_ends", "token_types")
    }
    source = split.source
    if source is not None:
        ragged |= {"starts": source.char_starts, "ends": source.char_ends}
        found |= {"of_row": source.of_row.tolist(), "texts": list(source.texts)}
        found["answers"] = list(source.answers)
    for name, values in (ragged | dict(split.labels)).items():
        if isinstance(values, Ragged):
            found[name] = [values.row(row).tolist() for row in range(len(values))]
        else:
            found[name] = None if values is None else np.nan_to_num(values, nan=-7).tolist()
    return found


EXAMPLES = [
    Example(
        tuple(["play", "some", "music"][: 1 + number % 3]),
        {"a": "xy"[number % 2], "b": ("p", "q")[: number % 3], "c": number / 2,
         "d": tuple("OPQ"[: 1 + number % 3])} if number != 3 else {},
        features=(float(number), 1.0),
        second="in paris" if number % 2 else "tonight",
    )
    for number in range(7)
]  # fmt: skip


@pytest.mark.parametrize("numbers", [[0], [1, 3, 6], list(range(7)), []])
def test_taken_rows_are_those_that_encode_makes_of_their_examples(tokenizer, numbers):
    labels = {c.task_name: c.collect({"train": EXAMPLES, "dev": EXAMPLES}, where="")
              for c in COLUMNS}  # fmt: skip

    def encode(examples: list[Example]) -> EncodedSplit:
        return Sentences().encode(examples, tokenizer, COLUMNS, labels, max_length=6)

    found = encode(EXAMPLES).take(np.array(numbers, dtype=np.int64))
    if not numbers:
        assert len(found) == 0
        return
    assert plain(found) == plain(encode([EXAMPLES[number] for number in numbers]))


@pytest.mark.parametrize("numbers", [[0], [1, 2], [0, 2], [0, 1, 2]])
def test_taken_questions_keep_their_windows_and_contexts(tokenizer, numbers):
    examples = [questions.QUESTION, questions.NOTHING, questions.UNKNOWN]
    found = questions.encode(examples, tokenizer).take(np.array(numbers, dtype=np.int64))
    alone = questions.encode([examples[number] for number in numbers], tokenizer)
    assert len(alone) > len(numbers)
    assert plain(found) == plain(alone)


def dataset(tokenizer, known: list[int], notes: tuple[DataNote, ...]) -> EncodedDataset:
    split = Sentences().encode(EXAMPLES, tokenizer, [], {}, max_length=6)
    texts = {"train": np.array([*known, 99]), "test": np.arange(7)}
    splits = {"train": split, "test": split}
    return EncodedDataset("d", splits, {}, "", notes, texts=texts)


NOTE = DataNote(split="test", topic="known", text="", count=3, of=7)


def test_the_rows_that_train_knows_are_left_out_where_they_are_many(tokenizer):
    leaky = dataset(tokenizer, [0, 2, 6], (NOTE,))
    found = unseen_rows({"d": leaky}, "test")["d"]
    whole = plain(leaky.splits["test"])["token_ids"]
    assert plain(found.splits["test"])["token_ids"] == [whole[row] for row in (1, 3, 4, 5)]
    assert found.splits["train"] is leaky.splits["train"]


@pytest.mark.parametrize("note", [(), (replace(NOTE, split="dev"),), (replace(NOTE, topic="cut"),)])
def test_few_known_rows_are_no_reason_for_other_scores(tokenizer, note):
    assert unseen_rows({"d": dataset(tokenizer, [0], note)}, "test") == {}


def test_a_split_that_train_knows_whole_is_left_out(tokenizer):
    found = unseen_rows({"d": dataset(tokenizer, list(range(7)), (NOTE,))}, "test")
    assert set(found["d"].splits) == {"train"}
    # Rows that are no texts cannot be told by the numbers of texts.
    chunks = dataset(tokenizer, [0], (NOTE,))
    chunks = replace(chunks, texts=chunks.texts | {"test": np.arange(40)})
    assert set(unseen_rows({"d": chunks}, "test")["d"].splits) == {"train"}


def test_rows_are_known_from_every_data_set_with_the_task(tokenizer):
    """The data set `e` shares the task with `d`, and `f` has another one."""
    names = LabelNames(("x",), ())
    task, other = {"t": names}, {"u": names}
    leaky = replace(dataset(tokenizer, [0], (NOTE,)), labels=task)
    related = replace(dataset(tokenizer, [2, 3], ()), name="e", labels=task)
    alien = replace(dataset(tokenizer, [5], ()), name="f", labels=other)
    found = unseen_rows({"d": leaky, "e": related, "f": alien}, "test")
    assert {name: len(one.splits["test"]) for name, one in found.items()} == {
        "d": 4, "e": 4, "f": 6
    }  # fmt: skip
