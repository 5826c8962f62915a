"""The contract for task kinds: all of the union keep it, and who breaks it is told how."""

from typing import Any

import numpy as np
import pytest
from lives import kinds_of
from pydantic import TypeAdapter

from mtl_core.data.example import Answer, Example
from mtl_core.tasks import classification, multilabel
from mtl_core.tasks.classification import Classification, ClassificationHead, ClassificationTask
from mtl_core.tasks.kinds import AnyTaskSection
from mtl_core.tasks.multilabel import MultilabelHead
from mtl_core.tasks.outcome import Outcome
from mtl_core.testing import check_task

SECTIONS: TypeAdapter[AnyTaskSection] = TypeAdapter(AnyTaskSection)

TEXTS = [
    "play some jazz",
    "book a table now",
    "play it",
    "rain in paris",
    "a table for two",
    "jazz",
]
CONTEXT = "play some jazz in the kitchen then book a table for two in paris tonight please now"


def texts(*values: Any) -> list[Example]:
    """Returns a text with each value; None = it has none."""
    return [
        Example(tuple(text.split()), {} if value is None else {"c": value})
        for text, value in zip(TEXTS, values, strict=True)
    ]


def tags(name: str) -> list[Example]:
    return [
        Example(words, {"c": tuple(name if word in ("jazz", "paris") else "O" for word in words)})
        for words in (tuple(text.split()) for text in TEXTS[:5])
    ] + [Example(("jazz",))]


def asked(*answers: str | None) -> list[Example]:
    """Returns a question with each answer; "" = there is none, None = it is not known."""
    return [
        Example(
            ("where", "is", "it"),
            {} if answer is None
            else {"c": (Answer(answer, CONTEXT.index(answer)),) if answer else ()},
            second=CONTEXT,
        )
        for answer in answers
    ]  # fmt: skip


LABELS = texts("play", "book", "play", None, "book", "play")
CASES: dict[str, tuple[dict[str, Any], list[Example]]] = {
    "classification": ({"class_weights": "balanced", "label_smoothing": 0.1}, LABELS),
    "multilabel": ({}, texts(("a",), ("a", "b"), (), None, ("b",), ("a",))),
    "regression": ({}, texts(1.0, 2.5, -1.0, None, 4.0, 0.5)),
    "tagging": ({"subwords": "all", "decoding": "viterbi", "scores_by_type": True}, tags("B-x")),
    "tagging crf": ({"crf": True}, tags("B-x")),
    "tagging plain": ({"scheme": "plain"}, tags("NAME")),
    "question_answering": ({"overlap": 2}, asked("paris", "", None, "a table")),
    "masked_lm": ({"chunk": 8, "column": ""}, texts(*[None] * 6)),
    "causal_lm": ({"chunk": 8, "column": ""}, texts(*[None] * 6)),
    "generation": (
        {"prompt": "Say {text}", "target_length": 12, "label_smoothing": 0.1},
        texts("play", "book now", "play jazz", None, "rain", "jazz"),
    ),
}


def section_of(name: str) -> AnyTaskSection:
    base = {"kind": name.split()[0], "dataset": "d", "column": "c"}
    return SECTIONS.validate_python({**base, **CASES[name][0]})


def test_every_kind_of_task_is_here() -> None:
    assert kinds_of(AnyTaskSection) == {name.split()[0] for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_kinds_of_the_package_keep_the_contract(name: str) -> None:
    check_task(section_of(name), CASES[name][1])


def test_features_reach_the_head() -> None:
    with_features = [
        Example(example.words, example.labels, features=(float(number), 1.0))
        for number, example in enumerate(LABELS)
    ]
    check_task(section_of("classification"), with_features)


@pytest.mark.parametrize(
    ("owner", "method", "broken", "message"),
    [
        (ClassificationHead, "loss_sum", lambda self, logits, labels, batch: logits.mean(), "sum"),
        (
            ClassificationHead,
            "loss_sum",
            lambda self, logits, labels, batch: logits.sum(dim=1),
            r"expected a scalar, found the shape \(6,\)",
        ),
        (ClassificationHead, "decode", lambda self, logits, batch: [], "one entry per row, 6"),
        (
            ClassificationHead,
            "decode",
            lambda self, logits, batch: [np.array([len(logits)])] * len(logits),
            "must not depend on the others",
        ),
        (ClassificationTask, "score", lambda self, outcome: {"f1": 1.0}, "'accuracy' is not in"),
        (ClassificationTask, "score", lambda self, outcome: {"accuracy": 61.5}, "at most 1"),
        (ClassificationTask, "says", lambda self, *_: [], "expected 6 outputs, found 0"),
        (ClassificationTask, "says", lambda self, *_: [{1}] * 6, "does not become JSON"),
        (ClassificationTask, "is_right", lambda self, outcome: np.array([True]), "is_right"),
        (ClassificationTask, "rescore", lambda self, _: lambda draws: draws[:, 0], "`score` says"),
        (ClassificationTask, "rescore", lambda self, _: lambda draws: draws, "one score per draw"),
        (
            Classification,
            "make_column",
            lambda self, name, column: classification.LabelColumn("other", column),
            "has to carry the task's name",
        ),
    ],
)
def test_what_breaks_the_contract_is_told(
    owner: type, method: str, broken: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, method, broken)
    with pytest.raises(AssertionError, match=message):
        check_task(section_of("classification"), LABELS)


def test_what_is_calibrated_has_to_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: MultilabelHead, body: Any, num_labels: int) -> None:
        super(MultilabelHead, self).__init__()
        self.body = body
        self.register_buffer("thresholds", multilabel.torch.full((num_labels,), 0.5), False)

    def calibrate(self: Any, head: Any, outcome: Outcome) -> None:
        head.get_buffer("thresholds").fill_(0.0)

    monkeypatch.setattr(MultilabelHead, "__init__", forgetful)
    monkeypatch.setattr(multilabel.MultilabelTask, "calibrate", calibrate)
    with pytest.raises(AssertionError, match=r"has to be a parameter or buffer"):
        check_task(section_of("multilabel"), CASES["multilabel"][1])
