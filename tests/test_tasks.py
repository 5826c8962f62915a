"""Tasks: losses and scores against scikit-learn, seqeval, torch and cases worked by hand."""

import math

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score as span_f1
from seqeval.metrics import precision_score as span_precision
from seqeval.metrics import recall_score as span_recall
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score
from torch.nn.functional import log_softmax

from mtl_core.data.encode import EncodedSplit, Int64Array, LabelNames, Ragged
from mtl_core.data.store import EncodedDataset
from mtl_core.tasks.base import Outcome, Task
from mtl_core.tasks.classification import ClassificationTask
from mtl_core.tasks.tagging import TaggingTask, span_scores
from mtl_core.training import evaluation
from mtl_core.training.distributed import Place

TAGS = ("B-x", "B-y", "I-x", "I-y", "O")
UNSEEN = (*TAGS, "B-z", "I-z")


def ids(*values: int) -> Int64Array:
    return np.array(values, dtype=np.int64)


def test_classification_scores_equal_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 6, size=300)  # 4 and 5 are never predicted: unseen in training
    predicted = np.where(generator.random(300) < 0.5, np.minimum(gold, 3), 0)
    is_labelled = generator.random(300) < 0.8
    outcome = Outcome(
        [ids(label) for label in predicted],
        [ids(label) if known else ids() for label, known in zip(gold, is_labelled, strict=True)],
    )
    scores = ClassificationTask(tuple("abcd"), 0.0).score(outcome, tuple("abcdef"))
    pair = gold[is_labelled], predicted[is_labelled]
    assert scores["accuracy"] == accuracy_score(*pair)
    assert scores["macro_f1"] == f1_score(*pair, average="macro", zero_division=0.0)


def test_tagging_scores_equal_seqeval() -> None:
    generator = np.random.default_rng(0)
    gold = [generator.integers(0, 7, size=generator.integers(1, 9)) for _ in range(200)]
    predicted = [
        np.where(generator.random(len(tags)) < 0.6, np.minimum(tags, 4), 4) for tags in gold
    ]
    outcome = Outcome([*predicted, ids(0)], [*gold, ids()])  # the last row lacks tags
    scores = TaggingTask(TAGS, 0.0).score(outcome, UNSEEN)
    texts = [[[UNSEEN[tag] for tag in tags] for tags in rows] for rows in (gold, predicted)]
    for name, reference in (
        ("f1", span_f1),
        ("precision", span_precision),
        ("recall", span_recall),
    ):
        assert scores[name] == pytest.approx(reference(*texts, mode="strict", scheme=IOB2))


def test_lost_words_miss_their_spans() -> None:
    # Gold has two spans; the model finds the first, the second was cut off.
    outcome = Outcome([ids(0, 2, -1)], [ids(0, 2, 1)])
    scores = TaggingTask(TAGS, 0.0).score(outcome, TAGS)
    assert scores == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3})


def test_tag_that_continues_nothing_is_no_span() -> None:
    assert span_scores([["B-x", "I-x"]], [["O", "I-x"]]) == (0.0, 0.0, 0.0)
    assert span_scores([["B-x", "I-x"]], [["B-x", "I-y"]]) == (0.0, 0.0, 0.0)
    assert span_scores([["B-x", "I-x"]], [["B-x", "I-x"]]) == (1.0, 1.0, 1.0)


def test_nothing_labelled_has_no_score() -> None:
    outcome = Outcome([ids(0)], [ids()])
    tasks: list[Task] = [ClassificationTask(TAGS, 0.0), TaggingTask(TAGS, 0.0)]
    for task in tasks:
        assert all(math.isnan(value) for value in task.score(outcome, TAGS).values())


def test_nothing_found_and_nothing_predicted_scores_zero() -> None:
    assert span_scores([["O", "O"]], [["O", "O"]]) == (0.0, 0.0, 0.0)


def test_losses_are_sums_over_labelled_entries() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5)
    labels = torch.tensor([[0, 4, -100], [-100, 2, 1]])
    expected = -sum(
        log_softmax(logits[row, word], dim=0)[labels[row, word]]
        for row, word in ((0, 0), (0, 1), (1, 1), (1, 2))
    )
    assert torch.allclose(TaggingTask(TAGS, 0.0).loss_sum(logits, labels), expected)
    rows = logits[:, 0], torch.tensor([-100, 3])
    single = -log_softmax(logits[1, 0], dim=0)[3]
    assert torch.allclose(ClassificationTask(TAGS, 0.0).loss_sum(*rows), single)


def test_joint_accuracy_asks_every_labelled_task(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = {
        # right, wrong, no label, right, no label
        "intent": Outcome([ids(0)] * 5, [ids(0), ids(1), ids(), ids(0), ids()]),
        # right, right, right, a lost word, no label
        "slots": Outcome(
            [ids(4, 4), ids(4), ids(0), ids(4, -1), ids(4)],
            [ids(4, 4), ids(4), ids(0), ids(4, 4), ids()],
        ),
    }
    monkeypatch.setattr(evaluation, "predict_split", lambda *_, **__: outcomes)
    split = EncodedSplit(Ragged.from_rows([[1]] * 5), Ragged.from_rows([[0]] * 5), {})
    names = {"intent": LabelNames(("a", "b"), ()), "slots": LabelNames(TAGS, ())}
    result = evaluation.evaluate(
        torch.nn.Identity(),  # type: ignore[arg-type]
        {"intent": ClassificationTask(("a", "b"), 0.0), "slots": TaggingTask(TAGS, 0.0)},
        {"d": EncodedDataset("d", {"dev": split}, names)},
        split="dev",
        place=Place(0, 1, torch.device("cpu")),
        precision="fp32",
        pad_token_id=0,
    )
    assert result.joint_accuracy == 2 / 4  # the first and third of the four labelled sentences
    assert result.main == {"intent": 2 / 3, "slots": 1.0}
