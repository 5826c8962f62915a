"""Question answering: windows, answers put together, and the scores as SQuAD 2.0 defines them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from questions import CONTEXT, NOTHING, QUESTION, UNKNOWN, encode, source_of
from transformers import PreTrainedTokenizerFast

from mtl_core.data.arrays import Ragged
from mtl_core.data.batching import make_batch
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.source import Source
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.tasks.answer_scores import answer_f1, exact_match, normalise
from mtl_core.tasks.hidden import HiddenSize
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.question_answering import (
    QuestionAnswering,
    QuestionAnsweringHead,
    best_answers,
    best_threshold,
    least_lead,
)

TASK = QuestionAnswering(dataset="d").build("qa", NoLabels())


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


@pytest.fixture(scope="module")
def windows(tokenizer: PreTrainedTokenizerFast) -> EncodedSplit:
    return encode([QUESTION, NOTHING], tokenizer)


def test_the_likeliest_span_of_the_context_is_decoded(windows: EncodedSplit) -> None:
    labels = windows.labels["qa"]
    row = int(np.flatnonzero(labels[:, 1])[0])
    batch = make_batch(windows, [row], pad_token_id=0)
    logits = torch.zeros(1, batch.token_ids.shape[1], 2)
    logits[0, 1] = 9.0  # the likeliest of all, but a word of the question
    first, last = (int(place) for place in labels[row])
    logits[0, first, 0] = logits[0, last, 1] = 5.0
    logits[0, first - 1, 1] = 8.0  # ends before it begins
    head = QuestionAnsweringHead(torch.nn.Identity(), max_answer=30)
    decoded = head.decode(logits, batch)[0]
    assert decoded[2:].tolist() in ([first, last], [first - 1, first - 1])
    [answer] = best_answers([decoded], one_question(windows, row))
    assert answer is not None
    assert CONTEXT[answer.start : answer.end] == answer.text


def one_question(split: EncodedSplit, row: int) -> Source:
    questions = source_of(split)
    return Source(
        np.zeros(1, dtype=np.int32),
        Ragged.from_rows([questions.char_starts.row(row).tolist()]),
        Ragged.from_rows([questions.char_ends.row(row).tolist()]),
        [CONTEXT],
        [("paris",)],
    )


def test_answers_are_no_longer_than_allowed(windows: EncodedSplit) -> None:
    batch = make_batch(windows, [0], pad_token_id=0)
    places = batch.words.starts[0, batch.words.is_there[0]]
    logits = torch.zeros(1, batch.token_ids.shape[1], 2)
    logits[0, places[0], 0] = logits[0, places[5], 1] = 9.0
    for most, expected in ((6, 5), (5, None)):
        head = QuestionAnsweringHead(torch.nn.Identity(), max_answer=most)
        _, _, first, last = head.decode(logits, batch)[0]
        is_whole = (first, last) == (places[0], places[5])
        assert is_whole == (expected is not None)
        assert last - first < most


def test_the_best_of_all_windows_answers() -> None:
    spans = Ragged.from_rows([[-1, 0, 5], [-1, 5, 10]])
    ends = Ragged.from_rows([[-1, 4, 9], [-1, 9, 14]])
    questions = Source(np.array([0, 0], np.int32), spans, ends, ["play jazz now!"], [("jazz",)])
    first, second = np.array([-1.0, -3.0, 1, 1]), np.array([-2.5, -2.0, 1, 1])
    [answer] = best_answers([first, second], questions)
    assert answer is not None
    assert (answer.text, answer.start, answer.end) == ("jazz", 5, 9)
    assert answer.probability == pytest.approx(1 / (1 + np.exp(-0.5)))
    # No answer, once that is likelier in the window that thinks least of it.
    assert best_answers([first, second - [0, 1, 0, 0]], questions) == [None]


@pytest.mark.parametrize("others", [[], [QUESTION]])
def test_a_context_without_tokens_answers_nothing(
    tokenizer: PreTrainedTokenizerFast, others: list[Example]
) -> None:
    empty = Example(("where", "is", "it"), {"answers": ()}, second="\u200b\u200d")
    split = encode([empty, *others], tokenizer)
    batch = make_batch(split, np.arange(len(split)), pad_token_id=0)
    head = QuestionAnsweringHead(torch.nn.Identity(), max_answer=30)
    decoded = head.decode(torch.zeros(*batch.token_ids.shape, 2), batch)
    assert best_answers(decoded, source_of(split), least=-1e12)[0] is None


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "f1"),
    [
        ("The  Eiffel tower.", ("eiffel tower",), 1.0, 1.0),
        ("tower", ("Eiffel Tower",), 0.0, 2 / 3),
        ("big red cat", ("red dog", "the big cat"), 0.0, 0.8),
        ("", (), 1.0, 1.0),
        ("Paris", (), 0.0, 0.0),
        ("", ("Paris",), 0.0, 0.0),
        ("cat cat", ("cat",), 0.0, 2 / 3),  # a word counts as often as both have it
        ("a", ("big big the", "the"), 0.0, 0.0),  # of "the" nothing is left
        ("", ("the",), 1.0, 1.0),
    ],
)
def test_scores_of_hand_worked_answers(
    predicted: str, gold: tuple[str, ...], exact: float, f1: float
) -> None:
    assert exact_match(predicted, gold) == exact
    assert answer_f1(predicted, gold) == pytest.approx(f1)


def test_normalisation_is_that_of_squad() -> None:
    assert normalise("The U.S.-based an Apple, (a) THE  Theatre") == "usbased apple theatre"


def test_scores_are_means_over_questions(windows: EncodedSplit) -> None:
    head = TASK.make_head(HiddenSize(4))
    # The right place where there is one; "no answer" likelier everywhere else.
    right = outcome_of(windows, nothing=-5.0, answer=-1.0)
    assert TASK.score(TASK.finish(head, right)) == {
        "f1": 1.0, "exact_match": 1.0, "has_answer_f1": 1.0, "no_answer_accuracy": 1.0,
    }  # fmt: skip
    wrong = outcome_of(windows, nothing=-5.0, answer=-11.0)
    scores = TASK.score(TASK.finish(head, wrong))
    assert (scores["f1"], scores["has_answer_f1"], scores["no_answer_accuracy"]) == (0.5, 0, 1)


@pytest.mark.parametrize("seed", range(20))
def test_threshold_is_the_best_of_all(seed: int) -> None:
    """Against every cut, tried one by one."""
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 30))
    leads = generator.integers(-5, 6, count).astype(np.float64)  # with ties
    silent = generator.integers(0, 2, count).astype(np.float64)
    answered = np.where(silent == 1, 0.0, generator.random(count))
    cuts = np.arange(-7.5, 8.0)
    best = max(np.where(leads > cut, answered, silent).mean() for cut in cuts)
    chosen = best_threshold(leads, answered, silent)
    assert np.where(leads > chosen, answered, silent).mean() == pytest.approx(best)
    rounded = float(np.float32(chosen))  # as the head keeps it
    assert np.where(leads > rounded, answered, silent).mean() == pytest.approx(best)


def test_calibration_finds_the_lead_that_right_answers_have(windows: EncodedSplit) -> None:
    """Right answers all lag 2 behind "no answer"; without a threshold none would be given."""
    outcome = outcome_of(windows, nothing=-1.0, answer=-3.0)
    head = TASK.make_head(HiddenSize(4))
    assert TASK.score(TASK.finish(head, outcome))["f1"] == 0.5
    TASK.calibrate(head, outcome)
    assert TASK.score(TASK.finish(head, outcome))["f1"] == 1.0
    assert "least_lead" in head.state_dict()  # a saved model answers alike


def test_questions_whose_answers_are_unknown_neither_count_nor_calibrate(
    tokenizer: PreTrainedTokenizerFast, windows: EncodedSplit
) -> None:
    more = encode([QUESTION, NOTHING, UNKNOWN], tokenizer)
    known, partly = (outcome_of(split, nothing=-1.0, answer=-3.0) for split in (windows, more))
    assert len(partly.predicted) == 2
    heads = [TASK.make_head(HiddenSize(4)) for _ in range(2)]
    for head, outcome in zip(heads, (known, partly), strict=True):
        TASK.calibrate(head, outcome)
    assert least_lead(heads[0]) == least_lead(heads[1])
    alone = encode([UNKNOWN], tokenizer)
    scores = TASK.score(TASK.finish(heads[0], outcome_of(alone, nothing=-1.0, answer=-3.0)))
    assert np.isnan([scores["f1"], scores["exact_match"]]).all()


def outcome_of(split: EncodedSplit, *, nothing: float, answer: float) -> Outcome:
    """Returns the questions, answered rightly in the windows that hold the answer."""
    labels = split.labels["qa"]
    assert isinstance(labels, np.ndarray)
    rows = [
        np.array([nothing, answer, first, last] if last > 0 else [nothing, -9.0, 8, 8])
        for first, last in labels
    ]
    return TASK.collect(Outcome(rows, [np.ones(1)] * len(rows), split.source))
