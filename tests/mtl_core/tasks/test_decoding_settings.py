"""Settings that are read at decoding only: a trained head takes others as it is."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import f1_score
from task_cases import SIZE, TAGS, batch_of, build
from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.columns.label_names import LabelNames, NoLabels
from mtl_core.tasks.base import TaskSection
from mtl_core.tasks.generation import Generation
from mtl_core.tasks.hidden import Hidden
from mtl_core.tasks.kinds import AnyTaskSection
from mtl_core.tasks.multilabel import Multilabel
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.question_answering import QuestionAnswering
from mtl_core.tasks.tagging import Tagging
from mtl_core.tasks.writer import Writer


class Says(Writer):
    """Scores of five tokens at each place where one is to be written."""

    reads_targets = True

    def __init__(self) -> None:
        super().__init__(None, None)  # type: ignore[arg-type]  # nothing is written here
        self.layer = torch.nn.Linear(SIZE.hidden, 5)

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        return self.layer(hidden.tokens[labels != NO_LABEL])  # type: ignore[no-any-return]

    def write(self, *_: object, **__: object) -> list[list[int]]:
        raise AssertionError


CASES: dict[str, tuple[type[TaskSection], Any, dict[str, tuple[object, object]], Tensor]] = {
    "multilabel": (
        Multilabel,
        LabelNames(("a", "b"), ()),
        {"thresholds": ("each", 0.25)},
        torch.tensor([[0, 1], [1, 1]]),
    ),
    "tagging": (
        Tagging,
        LabelNames(TAGS, ()),
        {"decoding": ("argmax", "viterbi")},
        torch.tensor([[0, 2, 4], [1, 4, -100]]),
    ),
    "question_answering": (
        QuestionAnswering,
        NoLabels(),
        {"max_answer": (30, 1), "least_lead": ("tuned", -1.5)},
        torch.tensor([[1, 2], [0, 0]]),
    ),
    "generation": (
        Generation,
        NoLabels(),
        {"decoding": ({"kind": "greedy"}, {"kind": "beam", "beams": 3})},
        torch.tensor([[-100, -100, 3, 4, 1], [-100, 2, 1, -100, -100]]),
    ),
}
"""Kind -> section, labels, setting -> two values, labels of two rows."""


def test_every_setting_that_is_read_at_decoding_has_a_case() -> None:
    members = [get_args(one)[0] for one in get_args(get_args(AnyTaskSection)[0])]
    sections = [one for one in members if hasattr(one, "at_decoding")]
    named = {one.model_fields["kind"].default: one.at_decoding for one in sections}
    expected = {kind: set(keys) for kind, keys in named.items() if keys}
    assert {kind: set(settings) for kind, (_, _, settings, _) in CASES.items()} == expected


@pytest.mark.parametrize("kind", CASES)
def test_a_head_with_other_settings_takes_the_weights_and_has_the_same_loss(kind: str) -> None:
    section, labels, settings, gold = CASES[kind]
    batch = replace(batch_of([[True, True, True], [True, True, False]]), labels={"task": gold})
    size = replace(SIZE, writer=Says())
    hidden = Hidden(torch.randn(2, 5, SIZE.hidden), batch, lambda states, _: states.mean(1))
    before = {key: pair[0] for key, pair in settings.items()}
    first = build(section, labels, **before).make_head(size).eval()
    expected = first(hidden)
    for key, (_, other) in settings.items():
        head = build(section, labels, **{**before, key: other}).make_head(size).eval()
        head.load_state_dict(first.state_dict())  # strict: nothing is missing, nothing left over
        logits = head(hidden)
        assert torch.equal(logits, expected)
        assert torch.equal(
            head.loss_sum(logits, gold, batch), first.loss_sum(expected, gold, batch)
        )


def topics(rows: int) -> Outcome:
    """Probabilities of three labels that lie in other ranges, and what is right."""
    generator = np.random.default_rng(3)
    gold = (generator.random((rows, 3)) < 0.3).astype(np.int64)
    noise = generator.random((rows, 3))
    shares = np.clip((0.4 * gold + 0.6 * noise) * [0.5, 0.8, 1.0], 0, 1).astype(np.float32)
    return Outcome(list(shares), list(gold))


def micro_f1(outcome: Outcome, thresholds: object) -> float:
    return float(
        f1_score(np.stack(outcome.gold), np.stack(outcome.predicted) >= thresholds, average="micro")
    )


def test_one_threshold_for_all_labels_is_the_best_of_all() -> None:
    outcome = topics(60)
    task = build(Multilabel, LabelNames(tuple("abc"), ()), thresholds="shared")
    head = task.make_head(SIZE)
    task.calibrate(head, outcome)
    found = head.get_buffer("thresholds")
    assert len(set(found.tolist())) == 1
    best = max(micro_f1(outcome, cut) for cut in np.stack(outcome.predicted).ravel())
    scores = task.score(task.finish(head, outcome))
    assert scores["micro_f1"] == pytest.approx(best)


def test_a_threshold_that_is_given_is_not_learnt() -> None:
    outcome = topics(20)
    task = build(Multilabel, LabelNames(tuple("abc"), ()), thresholds=0.3)
    head = task.make_head(SIZE)
    # Also when nothing was learnt from dev, or something else was.
    for _ in range(2):
        finished = task.finish(head, outcome)
        assert task.score(finished)["micro_f1"] == micro_f1(outcome, 0.3)
        task.calibrate(head, outcome)
    [said] = task.says(head, [np.array([0.29, 0.31, 0.9], np.float32)], [], None)
    assert [label.label for label in said] == ["b", "c"]  # type: ignore[union-attr]


def test_an_answer_needs_the_lead_that_is_given() -> None:
    task = build(QuestionAnswering, NoLabels(), column="answers", least_lead=1.0)
    head = task.make_head(SIZE)
    # (lead, exact match, F1, score of no answer, whether there is an answer)
    collected = Outcome([np.array([0.9, 1, 1, 0, 1]), np.array([1.1, 1, 1, 0, 1])])
    task.calibrate(head, collected)  # would say: answer both
    assert [row.tolist() for row in task.finish(head, collected).predicted] == [
        [0, 0, 1],
        [1, 1, 1],
    ]


@pytest.mark.parametrize("value", [0, 1.5, "best"])
def test_thresholds_are_probabilities(value: object) -> None:
    plain = {"kind": "multilabel", "dataset": "d", "column": "c", "thresholds": value}
    with pytest.raises(ValidationError):
        Multilabel.model_validate(plain)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("tasks.slots.decoding", True),
        ("tasks.slots.decoding.beams", True),
        ("tasks.slots.crf", False),
        ("tasks.slots", False),
        ("tasks.topics.decoding", False),
        ("optimizer.head_lr", False),
    ],
)
def test_a_run_knows_which_keys_are_read_at_decoding(key: str, expected: bool) -> None:
    run = RunConfig.model_validate(
        {
            "datasets": {"sample": {"kind": "sample"}},
            "tasks": {"slots": {"kind": "tagging", "dataset": "sample", "column": "slots"}},
        }
    )
    assert run.is_at_decoding(key) is expected
