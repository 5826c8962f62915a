"""Tagging: losses, scores and decoding against seqeval, pytorch-crf and cases worked by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score as span_f1
from seqeval.metrics import precision_score as span_precision
from seqeval.metrics import recall_score as span_recall
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, Entities
from task_cases import SIZE, TAGS, batch_of, build, ids
from torchcrf import CRF

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.outputs import Span, TextView
from mtl_core.tasks.spans import bio_spans, span_scores
from mtl_core.tasks.subword_tags import inside_tags, subword_labels
from mtl_core.tasks.tagging import LOST, Tagging

UNSEEN = ("B-z", "I-z")


def test_tagging_scores_equal_seqeval() -> None:
    generator = np.random.default_rng(0)
    gold = [generator.integers(0, 7, size=generator.integers(1, 9)) for _ in range(200)]
    predicted = [
        np.where(generator.random(len(tags)) < 0.6, np.minimum(tags, 4), 4) for tags in gold
    ]
    outcome = Outcome([*predicted, ids(0)], [*gold, ids()])  # the last row lacks tags
    task = build(Tagging, LabelNames(TAGS, UNSEEN), scores_by_type=True)
    scores = task.score(outcome)
    texts = [[[(*TAGS, *UNSEEN)[tag] for tag in tags] for tags in rows]
             for rows in (gold, predicted)]  # fmt: skip
    for name, reference in (
        ("f1", span_f1),
        ("precision", span_precision),
        ("recall", span_recall),
    ):
        assert scores[name] == pytest.approx(reference(*texts, mode="strict", scheme=IOB2))
        each = reference(*texts, mode="strict", scheme=IOB2, average=None, zero_division=0)
        assert [scores[f"{name}/{kind}"] for kind in "xyz"] == pytest.approx(list(each))
    right = [
        tag == guess
        for pair in zip(*map(read_by_seqeval, texts), strict=True)
        for tag, guess in zip(*pair, strict=True)
    ]
    assert scores["accuracy"] == pytest.approx(np.mean(right))


def read_by_seqeval(rows: list[list[str]]) -> list[list[str]]:
    """The tags of the spans that seqeval finds."""
    found = [["O"] * len(row) for row in rows]
    for tags, spans in zip(found, Entities(rows, scheme=IOB2).entities, strict=True):
        for span in spans:
            inside = [f"I-{span.tag}"] * (span.end - span.start - 1)
            tags[span.start : span.end] = [f"B-{span.tag}", *inside]
    return found


def test_plain_tags_are_scored_word_by_word() -> None:
    task = build(Tagging, LabelNames(("DET", "NOUN"), ("X",)), scheme="plain")
    scores = task.score(Outcome([ids(0, 1), ids(1, -1)], [ids(0, 1), ids(2, 1)]))
    assert task.main_score == "accuracy"
    assert scores["accuracy"] == 0.5  # an unseen tag and a lost word are wrong
    # DET 1; NOUN: one of two found, one of two right; X never found. A lost word is no tag.
    assert scores["macro_f1"] == pytest.approx((1 + 0.5 + 0) / 3)


@pytest.mark.parametrize(("scheme", "tags"), [("plain", "ab"), ("bio", ("B-x", "O"))])
def test_words_that_were_cut_off_have_no_tag(scheme: str, tags: Sequence[str]) -> None:
    task = build(Tagging, LabelNames(tuple(tags), ()), scheme=scheme)
    logits = torch.tensor([[[1.0, 0.0]] * 2])
    view = TextView("one two", [(0, 3), (4, 7)])
    batch = batch_of([[True, False]], counts=torch.tensor([2]))
    head = task.make_head(SIZE)
    [found] = task.says(head, task.read(head, logits, batch), [view], None)
    assert found == (Span(tags[0].removeprefix("B-"), 0, 3, "one"),)


def test_lost_words_miss_their_spans() -> None:
    # Gold has two spans; the model finds the first, the second was cut off.
    outcome = Outcome([ids(0, 2, -1)], [ids(0, 2, 1)])
    scores = build(Tagging, LabelNames(TAGS, ())).score(outcome)
    assert scores == pytest.approx({"precision": 1, "recall": 0.5, "f1": 2 / 3, "accuracy": 2 / 3})


def test_tag_that_continues_nothing_is_no_span() -> None:
    assert span_scores([["B-x", "I-x"]], [["O", "I-x"]]) == (0.0, 0.0, 0.0)
    assert span_scores([["B-x", "I-x"]], [["B-x", "I-y"]]) == (0.0, 0.0, 0.0)
    assert span_scores([["B-x", "I-x"]], [["B-x", "I-x"]]) == (1.0, 1.0, 1.0)


def test_nothing_found_and_nothing_predicted_scores_zero() -> None:
    assert span_scores([["O", "O"]], [["O", "O"]]) == (0.0, 0.0, 0.0)


def test_further_subwords_of_a_word_are_inside_the_span() -> None:
    # [CLS] w1 w1 w1 w2 [SEP]; the second row has one word, its second was cut off.
    batch = batch_of(
        [[True, True], [True, False]],
        token_ids=torch.zeros(2, 6, dtype=torch.int64),
        starts=torch.tensor([[1, 4], [1, 0]]),
        ends=torch.tensor([[4, 5], [5, 0]]),
    )
    inside = torch.tensor(inside_tags(TAGS))
    found = subword_labels(torch.tensor([[0, 4], [3, -100]]), batch, inside)
    assert found.tolist() == [[-100, 0, 2, 2, 4, -100], [-100, 3, 3, 3, 3, -100]]


@pytest.mark.parametrize("subwords", ["first", "all"])
def test_a_word_of_many_subwords_weighs_as_one(subwords: str) -> None:
    """When the model knows nothing, the mean loss of a word is the logarithm of the tags."""
    head = build(Tagging, LabelNames(TAGS, ()), subwords=subwords).make_head(SIZE)
    # [CLS] w1 w1 w1 w2 [SEP], and a second row whose second word was cut off.
    batch = batch_of(
        [[True, True], [True, False]],
        token_ids=torch.zeros(2, 6, dtype=torch.int64),
        starts=torch.tensor([[1, 4], [1, 0]]),
        ends=torch.tensor([[4, 5], [5, 0]]),
    )
    logits = torch.zeros(2, 6 if subwords == "all" else 2, len(TAGS))
    loss = head.loss_sum(logits, torch.tensor([[0, 4], [3, -100]]), batch)
    assert loss.item() / 3 == pytest.approx(math.log(len(TAGS)))


def test_with_all_subwords_the_first_one_still_speaks_for_the_word() -> None:
    head = build(Tagging, LabelNames(TAGS, ()), subwords="all").make_head(SIZE)
    batch = batch_of([[True, True]], starts=torch.tensor([[1, 3]]))
    logits = torch.zeros(1, 4, 5)
    for place, tag in enumerate((4, 0, 4, 1)):
        logits[0, place, tag] = 1.0
    assert [row.tolist() for row in head.decode(logits, batch)] == [[0, 1]]


def test_crf_loss_is_the_likelihood_of_pytorch_crf() -> None:
    torch.manual_seed(0)
    head = build(Tagging, LabelNames(TAGS, ()), crf=True).make_head(SIZE)
    logits, labels = torch.randn(3, 4, 5), torch.randint(0, 5, (3, 4))
    labels[1, 2:] = -100
    labels[2] = -100  # a row without tags
    batch = batch_of([[True] * 4] * 3)
    reference = CRF(5, batch_first=True)
    reference.load_state_dict(head.crf.state_dict())  # type: ignore[union-attr]
    rows = ((logits[:1], labels[:1]), (logits[1:2, :2], labels[1:2, :2]))
    expected = -sum(reference(*row, mask=torch.ones_like(row[1]).bool()) for row in rows)
    torch.testing.assert_close(head.loss_sum(logits, labels, batch), expected)
    nothing = head.loss_sum(logits, torch.full_like(labels, -100), batch)
    nothing.backward()
    assert nothing.item() == 0
    assert all(parameter.grad is not None for parameter in head.crf.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("settings", [{"decoding": "viterbi"}, {"crf": True}])
def test_constrained_decoding_never_leaves_bio(settings: dict[str, object]) -> None:
    torch.manual_seed(0)
    head = build(Tagging, LabelNames(TAGS, ()), **settings).make_head(SIZE)
    batch = batch_of([[True] * 6] * 20 + [[True] * 3 + [False] * 3])
    rows = head.decode(torch.randn(21, 6, 5) * 3, batch)
    for row in rows:
        tags = [TAGS[number] for number in row]
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert not tag.startswith("I-") or before[1:] == tag[1:]
    assert len(rows[20]) == 3


def test_argmax_takes_what_viterbi_forbids() -> None:
    logits = torch.tensor([[[0.0, 0, 5, 0, 4]]])
    free, strict = (
        build(Tagging, LabelNames(TAGS, ()), decoding=decoding).make_head(SIZE)
        for decoding in ("argmax", "viterbi")
    )
    assert free.decode(logits, batch_of([[True]]))[0].tolist() == [2]
    assert strict.decode(logits, batch_of([[True]]))[0].tolist() == [4]


@pytest.mark.parametrize(
    "tags",
    [
        ["B-x", "I-x", "O", "B-x", "B-x"],
        ["O", "I-x", "I-x", "B-y", "I-x"],
        ["B-x", "I-y", "I-y", "O"],
        ["I-x", "B-x", "I-x"],
        ["O", "O"],
    ],
)
def test_spans_are_those_of_seqeval(tags: list[str]) -> None:
    strict = Entities([tags], IOB2).entities[0]
    assert list(bio_spans(tags)) == [(e.tag, e.start, e.end - 1) for e in strict]
    if all(tag.startswith("B-") or tag == "O" for tag in tags):
        assert list(bio_spans(tags)) == get_entities(tags)


def test_a_span_that_ends_inside_a_word_is_missed_and_its_word_trains_nothing() -> None:
    # Words: B-x, O, and one in which a span of the type y ends; behind them stands that span.
    b_x, b_y, o = (TAGS.index(tag) for tag in ("B-x", "B-y", "O"))
    gold = ids(b_x, o, NO_LABEL, b_y)
    task = build(Tagging, LabelNames(TAGS, ()), scores_by_type=True)
    empty = task.score(Outcome([ids(b_x, o, o, LOST)], [gold]))
    # One of two spans is found; three places have a tag, and two are right.
    assert (empty["precision"], empty["recall"]) == (1, 0.5)
    assert empty["accuracy"] == pytest.approx(2 / 3)
    widened = task.score(Outcome([ids(b_x, o, b_y, LOST)], [gold]))
    assert (widened["precision"], widened["recall"]) == (0.5, 0.5)
    assert (widened["f1/x"], widened["f1/y"]) == (1, 0)
    for predicted in (ids(b_x, o, o, LOST), ids(b_x, o, b_y, LOST)):
        assert task.is_right(Outcome([predicted], [gold])).tolist() == [False]


def test_rows_are_right_when_their_spans_are() -> None:
    b_x, i_x, i_y, o = (TAGS.index(tag) for tag in ("B-x", "I-x", "I-y", "O"))
    task = build(Tagging, LabelNames(TAGS, ()))
    predicted = [ids(i_x, b_x, i_x), ids(b_x, i_y, o), ids(b_x, LOST), ids(b_x, LOST), ids(o)]
    gold = [ids(o, b_x, i_x), ids(b_x, o, o), ids(b_x, o), ids(b_x, i_x), ids()]
    # A stray I- and a word that was cut off are in no span; the last row has no labels.
    assert task.is_right(Outcome(predicted, gold)).tolist() == [True, True, True, False, True]
    assert task.score(Outcome(predicted[:3], gold[:3]))["accuracy"] == 1


def test_the_crf_steps_over_words_without_a_tag() -> None:
    torch.manual_seed(0)
    head = build(Tagging, LabelNames(TAGS, ()), crf=True).make_head(SIZE)
    logits = torch.randn(3, 5, len(TAGS))
    none = NO_LABEL
    labels = torch.tensor([[0, none, 2, none, 1], [none, 3, 4, none, none], [none] * 5])
    batch = batch_of([[True] * 5] * 3)
    expected = 0.0
    for row in range(3):
        tagged = labels[row] != none
        if tagged.any():
            one = logits[row, tagged][None], labels[row, tagged][None]
            expected -= head.crf(*one, mask=torch.ones(one[1].shape, dtype=torch.bool)).item()
    assert head.loss_sum(logits, labels, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("subwords", ["first", "all"])
def test_words_without_a_tag_have_no_loss(subwords: str) -> None:
    torch.manual_seed(0)
    head = build(Tagging, LabelNames(TAGS, ()), subwords=subwords).make_head(SIZE)
    batch = batch_of([[True] * 3])
    logits = torch.randn(1, batch.token_ids.shape[1] if subwords == "all" else 3, len(TAGS))
    some = head.loss_sum(logits, torch.tensor([[0, NO_LABEL, 1]]), batch)
    parts = [
        head.loss_sum(logits, torch.tensor([tags]), batch)
        for tags in ([0, NO_LABEL, NO_LABEL], [NO_LABEL, NO_LABEL, 1])
    ]
    assert some.item() == pytest.approx(float(sum(parts)))
    assert head.loss_sum(logits, torch.full((1, 3), NO_LABEL), batch).item() == 0
