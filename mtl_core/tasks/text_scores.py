"""Scores of texts that a model wrote, and of the tokens that it foresaw; over a whole split.

To add a score of texts, write its function, its word in `TextScore`, its entry in `_MEASURES`, and
its row in the tests.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Texts = Sequence[str]
TextScore = Literal[
    "bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "exact_match", "token_accuracy"
]
"""Scores that can be asked for, each in [0, 1]: of texts, or of the tokens of the targets."""
_WORD = re.compile(r"[^\W_]+")
_TEACHER = ("token_accuracy", "perplexity")
"""Scores of tokens: each is foreseen from the true ones before it, so that nothing is written."""


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
    return {name: _MEASURES[name](written, gold) for name in names}


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


def bleu(written: Texts, gold: Texts) -> float:
    """Returns corpus BLEU in [0, 1] (Papineni et al. 2002), by sacrebleu (Post 2018).

    Its signature is that of sacrebleu's defaults: mixed case, tokenizer 13a, smoothing exp.
    """
    from sacrebleu.metrics.bleu import BLEU

    # `force`: sacrebleu warns of texts that look tokenised, which those of some data sets are.
    return float(BLEU(force=True).corpus_score(list(written), [list(gold)]).score) / 100


def chrf(written: Texts, gold: Texts) -> float:
    """Returns corpus chrF in [0, 1] (Popovic 2015), by sacrebleu with its defaults."""
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(written), [list(gold)]).score) / 100


def exact_match(written: Texts, gold: Texts) -> float:
    """Returns the share of texts that are right but for white space."""
    pairs = zip(written, gold, strict=True)
    return float(np.mean([guess.split() == right.split() for guess, right in pairs]))


def rouge(kind: str) -> Callable[[Texts, Texts], float]:
    """Returns the mean F1 of ROUGE over texts (Lin 2004), by rouge-score, without stemming.

    Words are runs of letters and digits of any script. For ASCII the scores are those of
    rouge-score, whose own words are of a to z and digits alone: it drops all other letters.

    Args:
        kind: `rouge1`, `rouge2` or `rougeL`.
    """

    def score(written: Texts, gold: Texts) -> float:
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([kind], tokenizer=_Words())
        pairs = zip(gold, written, strict=True)
        return float(np.mean([scorer.score(right, guess)[kind].fmeasure for right, guess in pairs]))

    return score


class _Words:
    """Cuts texts into words, as `RougeScorer` asks for it."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


_MEASURES: Mapping[str, Callable[[Texts, Texts], float]] = {
    "bleu": bleu,
    "chrf": chrf,
    "rouge_1": rouge("rouge1"),
    "rouge_2": rouge("rouge2"),
    "rouge_l": rouge("rougeL"),
    "exact_match": exact_match,
}
