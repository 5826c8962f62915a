"""Scores of texts that a model wrote, and of the tokens that it foresaw; over a whole split.

To add a score of texts, write its function, its word in `TextScore`, its entry in `_MEASURES`, and
its row in the tests.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mtl_core.tasks import _sacrebleu
from mtl_core.tasks._sacrebleu import CorpusScore

Texts = Sequence[str]
TextScore = Literal[
    "bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact_match", "token_accuracy"
]
"""Scores that can be asked for, each in [0, 1]: of texts, or of the tokens of the targets."""
Parts = npt.NDArray[np.float64]
_WORD = re.compile(r"[^\W_]+")
_TEACHER = ("token_accuracy", "perplexity")
"""Scores of tokens: each is foreseen from the true ones before it, so that nothing is written."""


class Measure(NamedTuple):
    """A score of texts that is a function of sums over them.

    Attributes:
        parts: Takes texts that were written and the right ones, and returns (texts, numbers).
        score: Takes the sums of the numbers over at least one text, (numbers,).
    """

    parts: Callable[[Texts, Texts], Parts]
    score: Callable[[Parts], float]


def score_writing(
    names: Sequence[TextScore],
    written: Texts,
    gold: Texts,
    tokens: Sequence[npt.NDArray[np.generic]],
) -> dict[str, float]:
    """Returns score name -> value, those of `names` in their order, then the others of tokens.

    Args:
        names: The scores to compute; the first is the main one.
        written: The texts that the model wrote.
        gold: The right text for each of them.
        tokens: (summed loss in nats, right, count) of the target tokens of each row, (3,).

    Returns:
        The scores; NaN where there is nothing to score.
    """
    texts = tuple(name for name in names if name not in _TEACHER)
    found = score_texts(texts, written, gold) | score_tokens(tokens)
    return {name: found[name] for name in dict.fromkeys((*names, *_TEACHER))}


def score_texts(names: Sequence[str], written: Texts, gold: Texts) -> dict[str, float]:
    """Returns score name -> value in [0, 1] over all texts together; NaN without any.

    Args:
        names: Scores of texts, each once.
        written: The texts that a model wrote.
        gold: The right text for each of them.
    """
    if len(written) != len(gold):
        raise ValueError(f"{len(written)} texts were written for {len(gold)} right ones")
    if not gold:
        return dict.fromkeys(names, float("nan"))
    measures = {name: _MEASURES[name] for name in names}
    return {name: one.score(one.parts(written, gold).sum(axis=0)) for name, one in measures.items()}


def score_tokens(tokens: Sequence[npt.NDArray[np.generic]]) -> dict[str, float]:
    """Returns accuracy and perplexity (exp of the mean loss) over target tokens; NaN without any.

    Args:
        tokens: (summed loss in nats, right, count) of each row, (3,).
    """
    if not any(row[2] for row in tokens):
        return dict.fromkeys(_TEACHER, float("nan"))
    loss, right, count = np.stack(tokens).astype(np.float64).sum(axis=0).tolist()
    # What is over e^700 is no float, and says no more than that nothing was learnt.
    perplexity = float(np.exp(min(loss / count, 700.0)))
    return {"token_accuracy": right / count, "perplexity": perplexity}


def text_parts(
    name: str, written: Mapping[int, Texts], gold: Sequence[Texts]
) -> tuple[Parts, Callable[[Parts], float]]:
    """Returns the numbers of each row whose sums make a score, and what makes it of their sums.

    Args:
        name: A score of texts.
        written: Row -> the texts that the model wrote.
        gold: The right texts of each row.

    Returns:
        (rows, numbers), 0 for rows for which nothing was written; and a function of (numbers,),
        which is NaN where all of them are 0.
    """
    measure = _MEASURES[name]
    texts = [text for row in written.values() for text in row]
    right = [text for row in written for text in gold[row]]
    if not texts:
        return np.zeros((len(gold), 1)), lambda _: float("nan")
    parts = measure.parts(texts, right)  # (texts, numbers)
    of_rows = np.zeros((len(gold), parts.shape[1]))
    np.add.at(of_rows, np.repeat(list(written), [len(row) for row in written.values()]), parts)
    return of_rows, lambda sums: measure.score(sums) if sums.any() else float("nan")


def corpus_score(name: CorpusScore) -> Measure:
    """Returns corpus BLEU (Papineni et al. 2002) or chrF (Popovic 2015), by sacrebleu (Post 2018).

    With its defaults, those of BLEU are: mixed case, tokenizer 13a, smoothing exp.
    """
    return Measure(partial(_sacrebleu.statistics, name), partial(_sacrebleu.score, name))


def mean(of_each: Callable[[Texts, Texts], Sequence[float]]) -> Measure:
    """Returns the mean over texts of a score of each."""

    def parts(written: Texts, gold: Texts) -> Parts:
        return np.stack([of_each(written, gold), np.ones(len(gold))], axis=1)

    return Measure(parts, lambda sums: float(sums[0] / sums[1]))


def exact_match(written: Texts, gold: Texts) -> list[float]:
    """Returns 1 for each text that is right but for white space, else 0."""
    pairs = zip(written, gold, strict=True)
    return [float(guess.split() == right.split()) for guess, right in pairs]


def rouge(kind: str) -> Callable[[Texts, Texts], list[float]]:
    """Returns what computes F1 of ROUGE of each text (Lin 2004), by rouge-score, without stemming.

    Words are runs of letters and digits of any script. For ASCII the scores are those of
    rouge-score, whose own words are of a to z and digits alone: it drops all other letters.

    Args:
        kind: `rouge1`, `rouge2` or `rougeL`.
    """

    def score(written: Texts, gold: Texts) -> list[float]:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([kind], tokenizer=_Words())
        pairs = zip(gold, written, strict=True)
        return [float(scorer.score(right, guess)[kind].fmeasure) for right, guess in pairs]

    return score


class _Words:
    """Cuts texts into words, as `RougeScorer` asks for it."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


_MEASURES: Mapping[str, Measure] = {
    "bleu": corpus_score("bleu"),
    "chrf": corpus_score("chrf"),
    "rouge_1": mean(rouge("rouge1")),
    "rouge_2": mean(rouge("rouge2")),
    "rouge_l": mean(rouge("rougeL")),
    "exact_match": mean(exact_match),
}
