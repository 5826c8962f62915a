"""Tasks: losses and scores against scikit-learn, scipy, torch and cases worked by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, mean_squared_error
from sklearn.utils.class_weight import compute_class_weight
from task_cases import SIZE, TAGS, batch_of, build, ids
from torch.nn.functional import cross_entropy, log_softmax

from mtl_core.data.columns.label_names import LabelNames, Moments
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError, DataError
from mtl_core.tasks.base import TaskSection
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.multilabel import Multilabel, MultilabelHead, best_thresholds
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.regression import Regression
from mtl_core.tasks.tagging import Tagging, TaggingHead
from mtl_core.training.evaluation import joint_accuracy

MOMENTS = Moments(1, mean=0.0, deviation=0.0)


def test_classification_scores_equal_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 6, size=300)  # 4 and 5 are never predicted: unseen in training
    predicted = np.where(generator.random(300) < 0.5, np.minimum(gold, 3), 0)
    is_labelled = generator.random(300) < 0.8
    outcome = Outcome(
        [ids(label) for label in predicted],
        [ids(label) if known else ids() for label, known in zip(gold, is_labelled, strict=True)],
    )
    scores = build(Classification, LabelNames(tuple("abcd"), tuple("ef"))).score(outcome)
    pair = gold[is_labelled], predicted[is_labelled]
    assert scores == {
        "accuracy": accuracy_score(*pair),
        "macro_f1": f1_score(*pair, average="macro", zero_division=0.0),
        "micro_f1": f1_score(*pair, average="micro", zero_division=0.0),
        "matthews": matthews_corrcoef(*pair),
    }


def test_one_label_alone_is_scored_without_a_warning() -> None:
    """Warnings are errors here; scikit-learn itself warns, and says the same."""
    outcome = Outcome([ids(0)] * 3, [ids(0)] * 3)
    scores = build(Classification, LabelNames(("a",), ())).score(outcome)
    assert scores == {"accuracy": 1.0, "macro_f1": 1.0, "micro_f1": 1.0, "matthews": 0.0}
    with pytest.warns(UserWarning, match="single label"):
        assert matthews_corrcoef([0] * 3, [0] * 3) == 0.0


def test_class_weights_are_those_of_scikit_learn() -> None:
    rows = np.array([0] * 6 + [1] * 3 + [2])
    task = build(Classification, LabelNames(("a", "b", "c"), (), (6, 3, 1)),
                 class_weights="balanced", label_smoothing=0.1)  # fmt: skip
    weights = torch.tensor(compute_class_weight("balanced", classes=ids(0, 1, 2), y=rows)).float()
    logits, labels = torch.randn(5, 3), torch.tensor([0, 2, -100, 1, 2])
    expected = cross_entropy(logits, labels, weight=weights, reduction="sum", label_smoothing=0.1)
    loss = task.make_head(SIZE).loss_sum(logits, labels, batch_of([[True]] * 5))
    torch.testing.assert_close(loss, expected)


def test_class_weights_of_unknown_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"class_weights: 'spot' is no label.*'sport'"):
        build(Classification, LabelNames(("news", "sport"), ()), class_weights={"spot": 2.0})


@pytest.mark.parametrize("section", [Classification, Tagging, Multilabel, Regression])
def test_nothing_labelled_has_no_score(section: type[TaskSection]) -> None:
    labels = MOMENTS if section is Regression else LabelNames(TAGS, ())
    scores = build(section, labels).score(Outcome([ids(0)], [ids()]))
    assert all(math.isnan(value) for value in scores.values())


def test_losses_are_sums_over_labelled_entries() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 5)
    labels = torch.tensor([[0, 4, -100], [-100, 2, 1]])
    batch = batch_of([[True] * 3] * 2)
    expected = -sum(
        log_softmax(logits[row, word], dim=0)[labels[row, word]]
        for row, word in ((0, 0), (0, 1), (1, 1), (1, 2))
    )
    tagging = build(Tagging, LabelNames(TAGS, ())).make_head(SIZE)
    assert torch.allclose(tagging.loss_sum(logits, labels, batch), torch.as_tensor(expected))
    rows = logits[:, 0], torch.tensor([-100, 3]), batch
    single = -log_softmax(logits[1, 0], dim=0)[3]
    head = build(Classification, LabelNames(TAGS, ())).make_head(SIZE)
    assert torch.allclose(head.loss_sum(*rows), single)


def test_multilabel_loss_and_scores() -> None:
    torch.manual_seed(0)
    head = MultilabelHead(torch.nn.Identity(), 3)
    logits = torch.randn(3, 3)
    # The fourth label is unseen in training, the last row has no labels.
    labels = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1], [-100] * 4])
    target = labels[:2, :3].float()
    expected = torch.nn.BCEWithLogitsLoss(reduction="none")(logits[:2], target).mean(dim=1).sum()
    torch.testing.assert_close(head.loss_sum(logits, labels, batch_of([[True]] * 3)), expected)
    gold, predicted = np.array([[1, 0, 1], [0, 0, 1]]), np.array([[1, 0, 0], [0, 1, 1]])
    scores = build(Multilabel, LabelNames(("a", "b", "c"), ())).score(
        Outcome(list(predicted), list(gold))
    )
    assert scores["micro_f1"] == f1_score(gold, predicted, average="micro")
    assert scores["accuracy"] == 0.0


def test_sets_that_are_all_empty_are_refused() -> None:
    with pytest.raises(DataError, match=r"task 'task': no row of the train split has any label"):
        build(Multilabel, LabelNames((), ("a",)))


def test_thresholds_have_the_highest_f1_of_all() -> None:
    generator = np.random.default_rng(0)
    gold = (generator.random((80, 2)) < 0.3).astype(np.int64)
    shares = np.clip(0.3 * gold + 0.8 * generator.random((80, 2)), 0, 1).astype(np.float32)
    found = best_thresholds(shares, gold)
    for label in range(2):
        tried = {
            value: f1_score(gold[:, label], shares[:, label] >= value)
            for value in [0.5, *shares[:, label]]
        }
        ours = f1_score(gold[:, label], shares[:, label] >= found[label])
        assert ours == max(tried.values()) > tried[0.5]
    assert best_thresholds(shares, np.zeros_like(gold)).tolist() == [0.5, 0.5]


def test_thresholds_stand_half_way_to_the_next_probability() -> None:
    shares = np.array([[0.2, 0.6], [0.6, 0.8], [0.8, 0.7]], np.float32)
    gold = np.array([[0, 1], [1, 1], [1, 1]])
    assert best_thresholds(shares, gold).tolist() == pytest.approx([0.4, 0.3])
    near = np.array([[0.5], [np.nextafter(np.float32(0.5), np.float32(1))]], np.float32)
    found = best_thresholds(near, np.array([[0], [1]]))
    assert (near >= found).tolist() == [[False], [True]]


def test_thresholds_of_dev_are_used_ever_after() -> None:
    task = build(Multilabel, LabelNames(("a", "b"), ("c",)))
    head = task.make_head(SIZE)
    shares = [np.array([0.2, 0.9], np.float32), np.array([0.1, 0.8], np.float32)]
    gold = [ids(1, 1, 0), ids(0, 0, 0)]
    task.calibrate(head, Outcome(shares, gold))
    finished = task.finish(head, Outcome(shares, gold))
    assert [row.tolist() for row in finished.predicted] == [[1, 1, 0], [0, 0, 0]]
    assert "thresholds" in head.state_dict()


def test_targets_that_are_all_equal_can_be_learnt() -> None:
    column = NumberColumn("stars", "stars")
    rows = [Example(("a",), {"stars": 4.0})] * 3
    labels = column.collect({"train": rows, "dev": rows}, where="data")
    assert (labels.mean, labels.deviation) == (4.0, 0.0)
    head = build(Regression, labels).make_head(SIZE)
    logits, targets = torch.tensor([[0.0]]), torch.tensor([4.0])
    assert head.loss_sum(logits, targets, batch_of([[True]])).item() == 0
    assert float(head.decode(logits + 1, batch_of([[True]]))[0][0]) == 5


def test_regression_works_in_the_unit_of_the_data() -> None:
    task = build(Regression, Moments(9, mean=100.0, deviation=20.0))
    head = task.make_head(SIZE)
    logits = torch.tensor([[0.5], [-1.0], [0.0]])
    assert [float(row[0]) for row in head.decode(logits, batch_of([[True]] * 3))] == [110, 80, 100]
    labels = torch.tensor([120.0, 80.0, math.nan])  # standardised: 1 and -1
    assert head.loss_sum(logits, labels, batch_of([[True]] * 3)).item() == 0.25


def test_regression_scores_equal_scipy() -> None:
    generator = np.random.default_rng(0)
    gold = generator.normal(size=50)
    predicted = gold + generator.normal(size=50)
    pair = [row[None] for row in predicted], [row[None] for row in gold]
    scores = build(Regression, MOMENTS).score(Outcome(*pair))
    assert scores["pearson"] == pytest.approx(pearsonr(gold, predicted).statistic)
    assert scores["spearman"] == pytest.approx(spearmanr(gold, predicted).statistic)
    assert scores["mse"] == pytest.approx(mean_squared_error(gold, predicted))
    constant = Outcome([np.zeros(1)] * 50, pair[1])
    assert build(Regression, MOMENTS).score(constant)["pearson"] == 0.0


def test_extra_features_follow_the_sentence_vector() -> None:
    batch = replace(batch_of([[True]]), features=torch.tensor([[7.0, 8.0]]))
    hidden = Hidden(torch.ones(1, 3, 4), batch, lambda tokens, mask: tokens.mean(dim=1))
    assert hidden.sentence.tolist() == [[1, 1, 1, 1, 7, 8]]
    head = build(Classification, LabelNames(("a", "b"), ())).make_head(HiddenSize(4, features=2))
    assert head(hidden).shape == (1, 2)


@pytest.mark.parametrize("head", [{"kind": "linear"}, {"kind": "mlp", "hidden_size": 7}])
def test_heads_of_both_kinds_have_their_layers(head: dict[str, object]) -> None:
    made = build(Classification, LabelNames(("a", "b"), ()), head=head).make_head(SIZE)
    linears = [m for m in made.modules() if isinstance(m, torch.nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in linears]
    assert sizes == ([(4, 2)] if head["kind"] == "linear" else [(4, 7), (7, 2)])
    assert isinstance(made, TaggingHead) is False


def test_joint_accuracy_asks_every_labelled_task_that_knows_right() -> None:
    tasks = {
        "intent": build(Classification, LabelNames(("a", "b"), ())),
        "slots": build(Tagging, LabelNames(TAGS, ())),
        "score": build(Regression, MOMENTS),
    }
    outcomes = {
        # right, wrong, no label, right, no label
        "intent": Outcome([ids(0)] * 5, [ids(0), ids(1), ids(), ids(0), ids()]),
        # right, right, right, a span in a lost word, no label
        "slots": Outcome(
            [ids(4, 4), ids(4), ids(0), ids(4, -1), ids(4)],
            [ids(4, 4), ids(4), ids(0), ids(4, 0), ids()],
        ),
        "score": Outcome([np.ones(1)] * 5, [np.zeros(1)] * 5),
    }
    # The first and third of the four labelled sentences.
    assert joint_accuracy(tasks, [outcomes]) == 2 / 4
    assert math.isnan(joint_accuracy(tasks, [{"score": outcomes["score"]}]))
    tasks["slots"].is_auxiliary = True  # leaves the first and fourth of three
    assert joint_accuracy(tasks, [outcomes]) == 2 / 3
