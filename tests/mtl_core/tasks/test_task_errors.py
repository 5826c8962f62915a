"""Where tasks err: against scikit-learn and seqeval, and cases worked by hand, for each kind."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from letter_tokenizers import framed
from questions import CONTEXT, NOTHING, QUESTION, UNKNOWN, encode, source_of
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix
from task_cases import SIZE, build, ids

from mtl_core.data.columns.label_names import LabelNames, Moments, NoLabels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.error_counts import joined
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.task_errors import (
    Confused,
    LabelErrors,
    LabelTables,
    RangeErrors,
    TaskErrors,
    WrongRow,
)
from mtl_core.tasks.causal_lm import CausalLm
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.generation import Generation
from mtl_core.tasks.masked_lm import MaskedLm
from mtl_core.tasks.multilabel import Multilabel
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.question_answering import QuestionAnswering
from mtl_core.tasks.regression import Regression
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.tasks.spans import scores_by_type, without_strays
from mtl_core.tasks.tagging import LOST, Tagging
from mtl_core.testing_bench import Answers, Bench, GoesOn

TEXTS = ("play jazz now", "book it", "rain in paris", "so what")
NO_LABELS = LabelNames(("a",), ())


def sentences(texts: Sequence[str], *, max_length: int = 32) -> EncodedSplit:
    rows = [Example(tuple(text.split())) for text in texts]
    return Sentences().encode(rows, framed(), (), {}, max_length=max_length)


def texts_of(*texts: str, max_length: int = 32) -> RowTexts:
    return RowTexts(sentences(texts, max_length=max_length), framed())


def kept(found: TaskErrors | None) -> TaskErrors:
    """Returns errors as they are kept, of one data set."""
    assert found is not None
    return joined({"d": found})


def tables(found: TaskErrors) -> LabelTables:
    assert found.labels is not None
    return found.labels


def test_classes_are_counted_as_in_a_confusion_matrix() -> None:
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 6, size=300)  # 4 and 5 are never predicted: unseen in training
    guess = np.where(generator.random(300) < 0.5, np.minimum(gold, 3), generator.integers(0, 4))
    sure = generator.random(300)
    is_labelled = generator.random(300) < 0.8
    outcome = Outcome(
        [np.array([label, share]) for label, share in zip(guess, sure, strict=True)],
        [ids(label) if known else ids() for label, known in zip(gold, is_labelled, strict=True)],
    )
    task = build(Classification, LabelNames(tuple("abcd"), tuple("ef")))
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*["x"] * 300)))
    matrix = confusion_matrix(gold[is_labelled], guess[is_labelled], labels=range(6))
    names = "abcdef"
    for one in tables(found).each:
        place = names.index(one.label)
        counts = matrix[place].sum(), matrix[:, place].sum(), matrix[place, place]
        assert (one.gold, one.guessed, one.right) == counts
    assert {one.label for one in tables(found).each} == set(names)
    off = {(one.gold, one.guess): one.count for one in tables(found).confused}
    assert off == {(names[row], names[column]): matrix[row, column]
                   for row, column in np.argwhere(matrix) if row != column}  # fmt: skip
    is_wrong = is_labelled & (gold != guess)
    assert (found.rows, found.wrong) == (is_labelled.sum(), is_wrong.sum())
    assert [row.value for row in found.worst] == sorted(sure[is_wrong], reverse=True)[:20]


def test_the_worst_row_of_a_classification_is_shown_with_its_text() -> None:
    task = build(Classification, LabelNames(("book", "play"), ("rain",)))
    read = [np.array(one) for one in ([1, 0.9], [0, 0.5], [1, 0.6], [0, 0.99])]
    outcome = Outcome(read, [ids(1), ids(1), ids(2), ids()])
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*TEXTS)))
    assert found.worst == (
        WrongRow(3, "rain in paris", "rain", "play", 0.6, "d"),
        WrongRow(2, "book it", "play", "book", 0.5, "d"),
    )
    assert tables(found).each[0].wrong == 2  # play: missed once, given wrongly once
    assert (tables(found).each[0].precision, tables(found).each[0].recall) == (0.5, 0.5)


TAGS = ("B-a", "B-b", "I-a", "I-b", "O")


def tags(*rows: str) -> list[list[int]]:
    return [[TAGS.index(tag) for tag in row.split()] for row in rows]


def test_spans_are_missed_taken_for_others_and_made_up() -> None:
    task = build(Tagging, LabelNames(TAGS, ()))
    gold = tags("B-a I-a O", "B-a O", "B-b I-b B-a", "O O")
    guess = tags("B-a I-a O", "B-b O", "B-b O O", "O B-a")
    outcome = Outcome([ids(*row) for row in guess], [ids(*row) for row in gold])
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*TEXTS)))
    assert tables(found).each == (LabelErrors("a", 3, 2, 1), LabelErrors("b", 1, 2, 0))
    assert tables(found).confused == (
        Confused(None, "a", 1),
        Confused("a", None, 1),
        Confused("a", "b", 1),
        Confused("b", "b", 1, "other borders"),
    )
    assert [(row.example, row.gold, row.guess, row.value) for row in found.worst] == [
        (3, "b=rain in, a=paris", "b=rain", 3.0),
        (2, "a=book", "b=book", 2.0),
        (4, "", "a=what", 1.0),
    ]
    assert (found.rows, found.wrong, tables(found).unit) == (4, 3, "type of spans")


def test_counts_of_spans_are_those_of_seqeval() -> None:
    generator = np.random.default_rng(1)
    task = build(Tagging, LabelNames(TAGS, ()))
    rows = generator.integers(0, 5, size=(2, 200, 3))
    changed = np.where(generator.random(rows[0].shape) < 0.7, rows[0], rows[1])
    outcome = Outcome(list(changed), [*rows[0][:-1], ids()])
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*["x y z"] * 200)))
    named = [[without_strays([TAGS[tag] for tag in row]) for row in some[:-1]]
             for some in (rows[0], changed)]  # fmt: skip
    scores = scores_by_type(*named)
    for one in tables(found).each:
        assert one.precision == pytest.approx(scores[f"precision/{one.label}"])
        assert one.recall == pytest.approx(scores[f"recall/{one.label}"])
        missed = sum(pair.count for pair in tables(found).confused if pair.gold == one.label)
        assert missed == one.gold - one.right
    assert found.wrong == (~task.is_right(outcome)).sum()  # type: ignore[operator]


def test_plain_tags_are_counted_by_word() -> None:
    task = build(Tagging, LabelNames(("N", "V"), ("X",)), scheme="plain")
    outcome = Outcome([ids(0, 1, 0), ids(1, LOST)], [ids(0, 0, 2), ids(1, 1)])
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*TEXTS[:2])))
    assert {(one.label, one.gold, one.guessed, one.right) for one in tables(found).each} == {
        ("N", 2, 2, 1), ("V", 2, 2, 1), ("X", 1, 0, 0)}  # fmt: skip
    assert Confused("V", None, 1, "cut off") in tables(found).confused
    assert [(row.gold, row.guess) for row in found.worst] == [
        ("jazz=N, now=X", "jazz=V, now=N"), ("it=V", "it=(cut off)")]  # fmt: skip


def test_sets_of_labels_are_counted_label_by_label() -> None:
    generator = np.random.default_rng(2)
    shares = generator.random((60, 3)).astype(np.float32)
    gold = (generator.random((60, 4)) < 0.4).astype(np.int64)
    task = build(Multilabel, LabelNames(tuple("abc"), ("d",)), thresholds=0.5)
    outcome = Outcome(list(shares), [*gold[:-1], ids()])
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*["x"] * 60)))
    guess = np.hstack([shares >= 0.5, np.zeros((60, 1), bool)])[:-1]
    counts = dict(zip("abcd", multilabel_confusion_matrix(gold[:-1], guess), strict=True))
    for one in tables(found).each:
        [_, given], [missed, right] = counts[one.label]
        assert (one.gold, one.guessed, one.right) == (missed + right, given + right, right)
    wrong = (gold[:-1] != guess).sum(axis=1)
    assert found.wrong == (wrong > 0).sum()
    first = found.worst[0]
    assert first.value == wrong.max()
    row = first.example - 1
    for text, some in ((first.gold, gold[row] > guess[row]), (first.guess, guess[row] > gold[row])):
        assert text == ", ".join(np.array(list("abcd"))[some])


def test_numbers_are_off_by_range() -> None:
    task = build(Regression, Moments(9, mean=0.0, deviation=1.0))
    gold, guess = [-2.0, -0.5, 0.5, 0.6, 3.0], [-1.0, -0.5, 0.0, 1.6, 1.0]
    outcome = Outcome([np.float32([one]) for one in guess], [np.float32([one]) for one in gold])
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of(*"abcde")))
    assert found.ranges == (
        RangeErrors(None, -1.0, 1, 1.0, 1.0),
        RangeErrors(-1.0, 0.0, 1, 0.0, 0.0),
        RangeErrors(0.0, 1.0, 2, pytest.approx(0.25), pytest.approx(0.75)),
        RangeErrors(1.0, None, 1, -2.0, 2.0),
    )
    assert (found.wrong, found.worst[0]) == (None, WrongRow(5, "e", "3", "1", 2.0, "d"))
    assert [row.value for row in found.worst] == pytest.approx([2, 1, 1, 0.5, 0])


def test_answers_are_given_where_there_are_none(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_encoder))
    split = encode([QUESTION, NOTHING, UNKNOWN, QUESTION], tokenizer)
    source = source_of(split)
    begin = split.labels["qa"][np.flatnonzero(split.labels["qa"][:, 1])[0], 0]
    # (no answer, best answer, first, last) of each window: the last question gets no answer.
    best = np.where(source.of_row == 3, -9.0, 1.0)
    read = [np.array([0.0, one, begin, begin]) for one in best]
    task = build(QuestionAnswering, NoLabels(), least_lead=0.0)
    outcome = Outcome(read, (), source)
    found = kept(task.errors(task.make_head(SIZE), outcome, RowTexts(split, tokenizer)))
    assert (found.rows, found.unit) == (3, "questions")
    off = {(one.gold, one.guess, one.note) for one in tables(found).confused}
    assert {("no answer", "an answer", ""), ("an answer", "no answer", "")} <= off
    nothing = next(row for row in found.worst if row.example == 2)
    assert (nothing.gold, nothing.value) == ("(no answer)", 1.0)
    assert nothing.guess in CONTEXT
    assert "is it play" in nothing.text  # this tokenizer has nothing between question and context


def test_the_texts_least_like_the_right_ones_are_shown_beside_them() -> None:
    replies = zip(TEXTS, ("jazz", "a table", "rain", "nothing"), strict=True)
    rows = [Example(tuple(text.split()), {"c": reply}) for text, reply in replies]
    section = Generation(dataset="d", column="c", target_length=12)
    for writer in (GoesOn, Answers):
        bench = Bench.of(section, rows, "task", writer)
        written = {0: ("jazz",), 1: ("a tables",), 3: ("zzz",)}
        outcome = Outcome([np.ones(3)] * 4, bench.split.gold("task"), bench.split.source,
                          written=written)  # fmt: skip
        texts = RowTexts(bench.split, bench.tokenizer)
        found = kept(bench.task.errors(bench.head, outcome, texts))
        assert (found.rows, found.wrong, found.unit) == (3, 2, "texts")
        assert [(row.example, row.text, row.gold, row.guess) for row in found.worst] == [
            (4, "so what", "nothing", "zzz"), (2, "book it", "a table", "a tables")]  # fmt: skip
        assert found.worst[0].value == pytest.approx(1.0)
        nothing = Outcome([np.ones(3)] * 4, bench.split.gold("task"), bench.split.source)
        assert (
            bench.task.errors(bench.head, nothing, RowTexts(bench.split, bench.tokenizer)) is None
        )


def test_the_pieces_of_text_that_are_foreseen_worst_are_shown() -> None:
    task = build(MaskedLm, NoLabels(), column="")
    totals = [np.array([np.log(one) * 2, 1, 2]) for one in (3.0, 50.0)] + [np.zeros(3)]
    found = kept(task.errors(torch.nn.Identity(), Outcome(totals), texts_of(*TEXTS[:3])))  # type: ignore[arg-type]
    assert (found.rows, found.wrong) == (2, None)
    assert [(row.text, row.value) for row in found.worst] == [
        ("book it", pytest.approx(50)), ("play jazz now", pytest.approx(3))]  # fmt: skip


@pytest.mark.parametrize("writer", [GoesOn, Answers])
def test_running_text_is_shown_whether_it_stands_in_rows_or_is_written(
    writer: type[GoesOn] | type[Answers],
) -> None:
    rows = [Example(tuple(text.split())) for text in TEXTS]
    bench = Bench.of(CausalLm(dataset="d", chunk=8), rows, "task", writer)
    totals = [np.array([1.0 + row, 1, 2]) for row in range(len(bench.split))]
    outcome = Outcome(totals, bench.split.gold("task"), bench.split.source)
    found = bench.task.errors(bench.head, outcome, RowTexts(bench.split, bench.tokenizer))
    shown = " ".join(row.text for row in reversed(kept(found).worst))
    assert {"jazz", "rain", "paris", "what"} <= set(shown.split())


def test_the_parts_of_a_pair_are_shown_apart() -> None:
    rows = [Example(("play", "jazz"), {"c": label}, second="rain now") for label in "ab"]
    bench = Bench.of(Classification(dataset="d", column="c"), rows, "task", None)
    texts = RowTexts(bench.split, bench.tokenizer)
    assert texts.row(1) == "play jazz | rain now"
    assert texts.example(1) == 2


def test_a_row_that_was_cut_shows_what_was_read() -> None:
    texts = texts_of("play jazz", max_length=8)
    assert texts.row(0) == "play ja"  # letters alone, and two special tokens
    assert texts.words(0, 0, 1) == "play ja"
    assert texts.words(0, 1, 1) == "ja"


@pytest.mark.parametrize(
    "section",
    [Classification(dataset="d", column="c"), Tagging(dataset="d", column="c")],
    ids=lambda section: section.kind,
)
def test_rows_without_labels_are_no_errors(section: Classification | Tagging) -> None:
    task = section.build("task", LabelNames(("B-x", "O"), ()))
    outcome = Outcome([np.array([0, 0.5])] * 2, [ids()] * 2)
    found = kept(task.errors(task.make_head(SIZE), outcome, texts_of("a", "b")))
    assert (found.rows, found.wrong, found.worst) == (0, 0, ())
