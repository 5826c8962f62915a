"""Every kind of column through the same checks: collect, encode, pad, count, gold, merge, disk."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtl_core.data.arrays import LabelArray, Ragged
from mtl_core.data.arrow_files import open_split, write_split
from mtl_core.data.batching import make_batch
from mtl_core.data.columns.answers import AnswersColumn
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames, Moments, NoLabels
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.columns.target import TargetColumn, run_lengths
from mtl_core.data.columns.text import TextColumn
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.example import Answer, Example
from mtl_core.data.notes import SplitNotes
from mtl_core.data.source import Source
from mtl_core.errors import DataError

WORDS = ("a", "b")
MISSING = -100


@dataclass(frozen=True)
class Case:
    """What must come of three rows of two words, where the second word of the last was cut off.

    Attributes:
        column: The column.
        values: What the three rows hold; None = nothing.
        padded: The labels of all three in a batch.
        counts: Labels of each row that train.
        gold: Labels of each row.
        labelled: Rows with labels.
        scored: Things that are scored.
        source: What the rows are pieces of.
        made: The labels, of columns whose layout makes them.
    """

    column: AnyColumn
    values: Sequence[Any]
    padded: Any
    counts: list[int]
    gold: list[list[float]]
    labelled: int
    scored: int
    source: Source | None = None
    made: Ragged | None = None


def _source() -> Source:
    """A text in two windows of the words "x y" and "y z", and one whose answers are unknown."""
    starts = Ragged.from_rows([[-1, 0, 2], [-1, 2, 4], [-1, 0, 2]])
    ends = Ragged.from_rows([[-1, 1, 3], [-1, 3, 5], [-1, 1, 3]])
    answers = [("z",), None]
    return Source(np.array([0, 0, 1], np.int32), starts, ends, ["x y z", "x y"], answers)


CASES: dict[str, Case] = {
    "label": Case(
        LabelColumn("t", "c"), ["n", None, "m"], [1, MISSING, 0], [1, 0, 1], [[1], [], [0]], 2, 2
    ),
    "tags": Case(
        TagsColumn("t", "c", is_bio=True),
        [("B-x", "O"), None, ("O", "B-x")],
        [[0, 1], [MISSING] * 2, [1, MISSING]],
        [2, 0, 1],
        [[0, 1], [], [1, 0]],
        2,
        2,
    ),
    "labels": Case(
        LabelSetColumn("t", "c"),
        [("n",), None, ()],
        [[1], [MISSING], [0]],
        [1, 0, 1],
        [[1], [], [0]],
        2,
        2,
    ),
    "number": Case(
        NumberColumn("t", "c"), [2.5, None, 0.0], [2.5, np.nan, 0.0], [1, 0, 1],
        [[2.5], [], [0.0]], 2, 2,
    ),
    "answers": Case(
        AnswersColumn("t", "c"),
        [(Answer("z", 4),), None],
        [[0, 0], [2, 2], [MISSING] * 2],
        [1, 1, 0],
        [[0, 0], [2, 2], []],
        2,
        1,
        _source(),
    ),
    # Of the last row two texts, with a token between them that is none of theirs.
    "target": Case(
        TargetColumn("t", "c"),
        ["x y", None, ("x", "y")],
        [[MISSING, 5, 6], [MISSING] * 3, [7, MISSING, 8]],
        [1, 0, 1],
        [[5, 6], [], [7, 8]],
        2,
        3,
        made=Ragged.from_rows([[MISSING, 5, 6], [MISSING], [7, MISSING, 8]]),
    ),
    "text": Case(TextColumn("t", ""), [None] * 3, [0, 0, 0], [1, 1, 1], [[0], [0], [0]], 3, 3),
}  # fmt: skip


@dataclass
class Made:
    examples: list[Example]
    labels: Any
    split: EncodedSplit
    column: AnyColumn = field(init=False)

    def __post_init__(self) -> None:
        self.column = self.split.labels.columns["t"]

    @property
    def values(self) -> LabelArray:
        return self.split.labels["t"]


def make(case: Case) -> Made:
    column = case.column
    examples = [
        Example(WORDS, {} if value is None else {column.column: value}) for value in case.values
    ]
    labels = column.collect({"train": examples, "dev": examples}, where="data")
    values = column.encode(examples, labels, case.source) if case.made is None else case.made
    ids = Ragged.from_rows([[1, 2, 3]] * 3)
    starts = Ragged.from_rows([[1, 2], [1, 2], [1, -1]])
    split = EncodedSplit(ids, starts, TaskLabels([(column, values)]), source=case.source)
    return Made(examples, labels, split)


def test_every_kind_of_column_is_here() -> None:
    assert CASES.keys() == COLUMNS.keys()
    assert all(type(case.column) is COLUMNS[kind] for kind, case in CASES.items())


@pytest.mark.parametrize("kind", CASES)
def test_a_batch_has_the_labels_and_an_empty_share_has_none(kind: str) -> None:
    case, made = CASES[kind], make(CASES[kind])
    batch = make_batch(made.split, [0, 1, 2], pad_token_id=0)
    labels = batch.labels["t"]
    assert torch.equal(labels.nan_to_num(-1), torch.tensor(case.padded).nan_to_num(-1))
    assert labels.dtype == (torch.float32 if kind == "number" else torch.int64)
    nothing = batch.without_labels(made.split.labels.columns).labels["t"]
    assert nothing.shape == labels.shape
    assert nothing.dtype == labels.dtype
    assert (nothing.isnan() | (nothing == MISSING)).all()


@pytest.mark.parametrize("kind", CASES)
def test_labels_are_counted(kind: str) -> None:
    case, made = CASES[kind], make(CASES[kind])
    counts = made.column.count(made.values, made.split.word_starts)
    assert counts.dtype == np.int64
    assert counts.tolist() == case.counts
    assert made.split.num_labelled("t") == case.labelled
    assert made.split.num_scored("t") == case.scored


@pytest.mark.parametrize("kind", CASES)
def test_gold_labels_are_those_of_the_examples(kind: str) -> None:
    assert [row.tolist() for row in make(CASES[kind]).split.gold("t")] == CASES[kind].gold


@pytest.mark.parametrize("kind", CASES)
def test_labels_and_rows_survive_the_disk(kind: str, tmp_path: Path) -> None:
    made = make(CASES[kind])
    assert made.column.labels_from(json.loads(json.dumps(made.labels.to_json()))) == made.labels
    write_split(tmp_path, "dev", made.split)
    opened = open_split(tmp_path, "dev", [made.column])
    assert opened.labels.columns == {"t": made.column}
    assert [row.tolist() for row in opened.gold("t")] == CASES[kind].gold
    assert opened.num_scored("t") == CASES[kind].scored


@pytest.mark.parametrize("kind", CASES)
def test_merged_with_another_data_set_the_labels_stay_what_they_were(kind: str) -> None:
    made = make(CASES[kind])
    same = made.column.merge([made.labels, made.labels])
    assert same.all == made.labels.all
    assert made.column.renumber(made.values, made.labels, same) is made.values
    if isinstance(made.labels, LabelNames):
        first = made.column.merge([LabelNames(("A",), ("B-z",), (1,)), made.labels])
        ids = made.column.renumber(made.values, made.labels, first)
        before, after = (_names(made.column, *pair) for pair in
                         ((made.values, made.labels), (ids, first)))  # fmt: skip
        assert before == after
        assert first.frequencies == {"A": 1, **made.labels.frequencies}


def _names(column: AnyColumn, values: LabelArray, labels: LabelNames) -> list[list[str]]:
    """Returns the labels of every row by name."""
    rows = column.gold(values)
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return [[labels.all[place] for place in np.flatnonzero(row)] for row in rows]
    return [[labels.all[number] for number in row] for row in rows]


@pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if case.column.is_read])
@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_split_without_labels_is_refused(kind: str, split: str) -> None:
    examples = make(CASES[kind]).examples
    splits = {"train": examples, "dev": examples, split: [Example(WORDS)]}
    with pytest.raises(DataError, match=rf"data: split '{split}' holds no label of task 't'"):
        CASES[kind].column.collect(splits, where="data")


def test_what_shapes_the_encoding_differs_between_kinds() -> None:
    keys = [json.dumps(case.column.cache_key()) for case in CASES.values()]
    assert len({*keys, json.dumps(TagsColumn("t", "c").cache_key())}) == len(CASES) + 1


def test_moments_are_those_of_the_train_split() -> None:
    assert make(CASES["number"]).labels == Moments(2, 1.25, 1.25)


def test_minus_one_hundred_is_a_number_like_any_other() -> None:
    assert NumberColumn("t", "c").num_labelled(np.array([-100.0, np.nan], np.float32)) == 1


def test_labelled_rows_are_counted() -> None:
    tags = Ragged.from_rows([[-100, 1], [-100, -100], [], [0]])
    assert TagsColumn("t", "c").num_labelled(tags) == 2
    assert LabelColumn("t", "c").num_labelled(np.array([0, -100, 3], dtype=np.int32)) == 2
    sets = np.array([[0, 1], [-100, -100]], dtype=np.int32)
    assert LabelSetColumn("t", "c").num_labelled(sets) == 1
    numbers = np.array([0.0, np.nan], dtype=np.float32)
    assert NumberColumn("t", "c").num_labelled(numbers) == 1


def test_texts_to_write_end_with_their_rows() -> None:
    rows = [[1, 2], [3], [MISSING], [], [MISSING, 4, MISSING, 5, 6], [7]]
    assert run_lengths(Ragged.from_rows(rows)).tolist() == [2, 1, 1, 2, 1]
    assert run_lengths(Ragged.from_rows([[MISSING], []])).tolist() == []


def test_texts_that_are_missing_or_cut_are_told() -> None:
    column = TargetColumn("t", "c", longest=2)
    notes = SplitNotes("dev")
    rows = [[5, 6], [MISSING], [7], [MISSING, 8, 9, MISSING, 8]]
    column.inspect(Ragged.from_rows(rows), NoLabels(), notes)
    assert [note.text for note in notes.found] == [
        "task 't': 1 of 4 rows (25 %) have no text to write; they are neither learnt nor scored",
        "task 't': 2 of 4 texts to write (50 %) reach 2 sub-words, where longer ones are cut "
        "(run.tasks.t.target_length)",
    ]
