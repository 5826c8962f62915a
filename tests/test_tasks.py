"""Tasks: losses and scores against scikit-learn, scipy, seqeval, torch and cases worked by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import f1_score as span_f1
from seqeval.metrics import precision_score as span_precision
from seqeval.metrics import recall_score as span_recall
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, mean_squared_error
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax
from torchcrf import CRF

from mtl_core.data.batching import Batch
from mtl_core.data.encoded import Int64Array, LabelNames
from mtl_core.errors import ConfigError, DataError
from mtl_core.tasks.base import Outcome, Task, TaskSection
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.multilabel import Multilabel, MultilabelHead, best_thresholds
from mtl_core.tasks.outputs import Span, TextView
from mtl_core.tasks.regression import Regression
from mtl_core.tasks.tagging import Tagging, TaggingHead, inside_tags, span_scores, subword_labels
from mtl_core.training.evaluation import joint_accuracy

TAGS = ("B-x", "B-y", "I-x", "I-y", "O")
UNSEEN = ("B-z", "I-z")
SIZE = HiddenSize(4)


def ids(*values: int) -> Int64Array:
    return np.array(values, dtype=np.int64)


def build(section: type[TaskSection], labels: LabelNames, **settings: object) -> Task:
    plain = {"dataset": "d", "column": "c", **settings}
    return section.model_validate(plain).build("task", labels)


def batch_of(is_word: Sequence[Sequence[bool]], **arrays: Tensor) -> Batch:
    words = torch.tensor(is_word)
    token_ids = torch.zeros(len(words), words.shape[1] + 2, dtype=torch.int64)
    starts = (torch.arange(1, words.shape[1] + 1) * words).long()
    ends = torch.where(words, starts + 1, 0)
    base = {
        "token_ids": token_ids,
        "attention_mask": torch.ones_like(token_ids),
        "word_starts": starts,
        "word_ends": ends,
        "is_word": words,
        "num_words": words.sum(dim=1),
    }
    return Batch(**(base | arrays), labels={})  # type: ignore[arg-type]


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
    assert scores["accuracy"] == np.mean(np.concatenate(gold) == np.concatenate(predicted))


def test_plain_tags_are_scored_word_by_word() -> None:
    task = build(Tagging, LabelNames(("DET", "NOUN"), ("X",)), scheme="plain")
    scores = task.score(Outcome([ids(0, 1), ids(1, -1)], [ids(0, 1), ids(2, 1)]))
    assert task.main_score == "accuracy"
    assert scores["accuracy"] == 0.5  # an unseen tag and a lost word are wrong


@pytest.mark.parametrize(("scheme", "tags"), [("plain", "ab"), ("bio", ("B-x", "O"))])
def test_words_that_were_cut_off_have_no_tag(scheme: str, tags: Sequence[str]) -> None:
    task = build(Tagging, LabelNames(tuple(tags), ()), scheme=scheme)
    logits = torch.tensor([[[1.0, 0.0]] * 2])
    view = TextView("one two", [(0, 3), (4, 7)])
    [found] = task.outputs(
        task.make_head(SIZE), logits, batch_of([[True, False]], num_words=torch.tensor([2])), [view]
    )
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


@pytest.mark.parametrize("section", [Classification, Tagging, Multilabel, Regression])
def test_nothing_labelled_has_no_score(section: type[TaskSection]) -> None:
    scores = build(section, LabelNames(TAGS, ())).score(Outcome([ids(0)], [ids()]))
    assert all(math.isnan(value) for value in scores.values())


def test_nothing_found_and_nothing_predicted_scores_zero() -> None:
    assert span_scores([["O", "O"]], [["O", "O"]]) == (0.0, 0.0, 0.0)


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


def test_further_subwords_of_a_word_are_inside_the_span() -> None:
    # [CLS] w1 w1 w1 w2 [SEP]; the second row has one word, its second was cut off.
    batch = batch_of(
        [[True, True], [True, False]],
        token_ids=torch.zeros(2, 6, dtype=torch.int64),
        word_starts=torch.tensor([[1, 4], [1, 0]]),
        word_ends=torch.tensor([[4, 5], [5, 0]]),
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
        word_starts=torch.tensor([[1, 4], [1, 0]]),
        word_ends=torch.tensor([[4, 5], [5, 0]]),
    )
    logits = torch.zeros(2, 6 if subwords == "all" else 2, len(TAGS))
    loss = head.loss_sum(logits, torch.tensor([[0, 4], [3, -100]]), batch)
    assert loss.item() / 3 == pytest.approx(math.log(len(TAGS)))


def test_with_all_subwords_the_first_one_still_speaks_for_the_word() -> None:
    head = build(Tagging, LabelNames(TAGS, ()), subwords="all").make_head(SIZE)
    batch = batch_of([[True, True]], word_starts=torch.tensor([[1, 3]]))
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


def test_thresholds_of_dev_are_used_ever_after() -> None:
    task = build(Multilabel, LabelNames(("a", "b"), ("c",)))
    head = task.make_head(SIZE)
    shares = [np.array([0.2, 0.9], np.float32), np.array([0.1, 0.8], np.float32)]
    gold = [ids(1, 1, 0), ids(0, 0, 0)]
    task.calibrate(head, Outcome(shares, gold))
    finished = task.finish(head, Outcome(shares, gold))
    assert [row.tolist() for row in finished.predicted] == [[1, 1, 0], [0, 0, 0]]
    assert "thresholds" in head.state_dict()


def test_regression_works_in_the_unit_of_the_data() -> None:
    task = build(Regression, LabelNames((), (), (9,), mean=100.0, deviation=20.0))
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
    scores = build(Regression, LabelNames((), ())).score(Outcome(*pair))
    assert scores["pearson"] == pytest.approx(pearsonr(gold, predicted).statistic)
    assert scores["spearman"] == pytest.approx(spearmanr(gold, predicted).statistic)
    assert scores["mse"] == pytest.approx(mean_squared_error(gold, predicted))
    constant = Outcome([np.zeros(1)] * 50, pair[1])
    assert build(Regression, LabelNames((), ())).score(constant)["pearson"] == 0.0


def test_extra_features_follow_the_sentence_vector() -> None:
    batch = batch_of([[True]], features=torch.tensor([[7.0, 8.0]]))
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
        "score": build(Regression, LabelNames((), ())),
    }
    outcomes = {
        # right, wrong, no label, right, no label
        "intent": Outcome([ids(0)] * 5, [ids(0), ids(1), ids(), ids(0), ids()]),
        # right, right, right, a lost word, no label
        "slots": Outcome(
            [ids(4, 4), ids(4), ids(0), ids(4, -1), ids(4)],
            [ids(4, 4), ids(4), ids(0), ids(4, 4), ids()],
        ),
        "score": Outcome([np.ones(1)] * 5, [np.zeros(1)] * 5),
    }
    # The first and third of the four labelled sentences.
    assert joint_accuracy(tasks, [outcomes]) == 2 / 4
    assert math.isnan(joint_accuracy(tasks, [{"score": outcomes["score"]}]))
