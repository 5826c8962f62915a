"""Main scores of rows that are drawn anew: those of the same rows, written down so many times."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from task_cases import TAGS, build, ids

from mtl_core.data.columns.base import Gold
from mtl_core.data.columns.label_names import LabelNames, Moments, NoLabels
from mtl_core.tasks import _sacrebleu
from mtl_core.tasks.base import Task
from mtl_core.tasks.causal_lm import CausalLmTask
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.generation import Generation
from mtl_core.tasks.masked_lm import MaskedLm, MaskedLmTask
from mtl_core.tasks.multilabel import Multilabel
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.question_answering import QuestionAnswering
from mtl_core.tasks.regression import Regression
from mtl_core.tasks.tagging import LOST, Tagging

ROWS = 40
LABELLED = ("classification", "tagging", "multilabel", "regression")
MOMENTS = Moments(1, mean=0, deviation=1)
NAMES = LabelNames(tuple("abcd"), ("e",))
WORDS = ["the", "cat", "sat", "on", "a", "mat", "."]


def some_labelled(generator: np.random.Generator, gold: list[Gold]) -> list[Gold]:
    return [
        one if known else ids()
        for one, known in zip(gold, generator.random(ROWS) < 0.8, strict=True)
    ]


def classes(generator: np.random.Generator) -> Outcome:
    gold = generator.integers(0, 5, size=ROWS)
    guesses = np.where(generator.random(ROWS) < 0.5, np.minimum(gold, 3), 0)
    return Outcome([*map(ids, guesses)], some_labelled(generator, [*map(ids, gold)]))


def tags(generator: np.random.Generator) -> Outcome:
    lengths = generator.integers(1, 9, size=ROWS)
    gold = [generator.integers(0, len(TAGS), size=length) for length in lengths]
    changed = [generator.random(length) < 0.3 for length in lengths]
    guesses = [
        np.where(*pair, one) for *pair, one in zip(changed, [LOST] * ROWS, gold, strict=True)
    ]
    return Outcome(guesses, some_labelled(generator, [*gold]))


def sets(generator: np.random.Generator) -> Outcome:
    gold = generator.integers(0, 2, size=(ROWS, 5))
    gold[:, 4] = 0
    guesses = np.where(generator.random(gold.shape) < 0.7, gold, 0)
    return Outcome([*guesses], some_labelled(generator, [*gold]))


def numbers(generator: np.random.Generator) -> Outcome:
    gold = generator.normal(size=(ROWS, 1)).round(1)
    return Outcome([*(gold + generator.normal(size=gold.shape))], some_labelled(generator, [*gold]))


def tokens(generator: np.random.Generator, *, size: int) -> Outcome:
    counts = generator.integers(1, 9, size=ROWS)
    return Outcome([np.array([2.0, count // 2, count, 7])[:size] for count in counts])


def answers(generator: np.random.Generator) -> Outcome:
    """Exact match, F1, and whether there is an answer."""
    has_answer = generator.random(ROWS) < 0.7
    return Outcome([*np.stack([has_answer, generator.random(ROWS), has_answer], axis=1)])


def texts(generator: np.random.Generator) -> Outcome:
    """Of some rows two texts are written, and of others none; dialogues begin at every fourth."""

    def text() -> str:
        return " ".join(generator.choice(WORDS, size=generator.integers(1, 9)))

    gold = [np.array([text() for _ in range(1 + row % 2)]) for row in range(ROWS)]
    written = {row: [text() for _ in gold[row]] for row in range(0, ROWS, 3)}
    written[3] = gold[3].tolist()
    begins = np.arange(ROWS) % 4 == 0
    goals = np.stack([begins, begins & (generator.random(ROWS) < 0.6), begins], axis=1)
    goals[:, 2] = goals[:, 1] & (generator.random(ROWS) < 0.6)
    return Outcome([np.append([4.0, row % 5, 5], goals[row]) for row in range(ROWS)], gold,
                   written=written)  # fmt: skip


def generation(score: str) -> Task:
    section = Generation.model_validate({"dataset": "d", "column": "c", "scores": [score]})
    return section.build("task", NoLabels())


CASES: dict[str, tuple[Task, Callable[[np.random.Generator], Outcome]]] = {
    **{f"classification {name}": (build(Classification, NAMES, main_score=name), classes)
       for name in ("accuracy", "micro_f1", "macro_f1", "matthews")},
    "tagging bio": (build(Tagging, LabelNames(TAGS, ())), tags),
    "tagging plain": (build(Tagging, LabelNames(TAGS, ()), scheme="plain"), tags),
    **{f"multilabel {name}": (build(Multilabel, NAMES, main_score=name), sets)
       for name in ("accuracy", "micro_f1", "macro_f1")},
    **{f"regression {name}": (build(Regression, MOMENTS, main_score=name), numbers)
       for name in ("pearson", "spearman")},
    "masked_lm": (MaskedLmTask("task", MaskedLm(dataset="d")), partial(tokens, size=3)),
    "causal_lm": (CausalLmTask("task"), partial(tokens, size=4)),
    "question_answering": (build(QuestionAnswering, NoLabels()), answers),
    **{f"generation {name}": (generation(name), texts)
       for name in ("bleu", "chrf", "rouge_1", "rouge_l", "exact_match", "token_accuracy", "inform",
                    "success", "combined")},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_draw_has_the_score_of_the_rows_that_are_drawn(name: str) -> None:
    task, make = CASES[name]
    generator = np.random.default_rng(3)
    outcome = make(generator)
    draws = generator.multinomial(ROWS, [1 / ROWS] * ROWS, size=6)
    draws[0] = 1
    rescore = task.rescore(outcome)
    assert rescore is not None
    found = rescore(draws.astype(float))
    expected = [task.score(outcome.drawn(one))[task.main_score] for one in draws]
    assert found == pytest.approx(expected, nan_ok=True)
    assert len(set(found.round(6))) > 2


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(LABELLED)])
def test_draws_without_labels_have_no_score(name: str) -> None:
    task, make = CASES[name]
    outcome = make(np.random.default_rng(3))
    draw = np.where(outcome.is_labelled(), 0.0, 2.0)
    rescore = task.rescore(outcome)
    assert rescore is not None
    assert np.isnan(rescore(draw[None])).all()


def test_the_version_of_sacrebleu_is_the_one_whose_private_parts_are_known() -> None:
    """Of another version, read `mtl_core/tasks/_sacrebleu.py` against its source first."""
    assert version("sacrebleu").startswith("2.6.")


def test_sums_of_statistics_are_the_corpus_scores_of_sacrebleu() -> None:
    outcome = texts(np.random.default_rng(1))
    pairs = [
        pair
        for row, some in outcome.written.items()
        for pair in zip(some, outcome.gold[row], strict=True)
    ]
    written, gold = map(list, zip(*pairs, strict=True))
    for name, metric in (("bleu", BLEU(force=True)), ("chrf", CHRF())):
        sums = _sacrebleu.statistics(name, written, gold).sum(axis=0)
        expected = metric.corpus_score(written, [gold]).score / 100
        assert _sacrebleu.score(name, sums) == pytest.approx(expected)
