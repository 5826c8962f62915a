"""Scores as people and other programs read them: flat names, percent, null in place of NaN."""

import math
from collections.abc import Mapping
from typing import Any

from mtl_core.number_types import Score

ScoreTree = Mapping[str, Score | Mapping[str, Score]]
"""{"combined": x, "<task>": {"<score>": x}}, as `result.json` holds it."""

_NOT_SHARES = {
    "mse", "perplexity", "bits_per_byte", "entropy", "conditional_entropy", "length", "unigrams",
    "bigrams", "trigrams",
}  # fmt: skip
_ENDS = {
    **dict.fromkeys(
        ("accuracy", "joint_accuracy", "token_accuracy", "exact_match", "f1", "micro_f1",
         "macro_f1", "precision", "recall", "bleu", "chrf", "rouge_1", "rouge_2", "rouge_l",
         "inform", "success", "combined", "msttr"), (0.0, 1.0),
    ),
    **dict.fromkeys(("matthews", "pearson", "spearman"), (-1.0, 1.0)),
    **dict.fromkeys(_NOT_SHARES, (0.0, math.inf)),
    "perplexity": (1.0, math.inf),
}  # fmt: skip


def flatten(scores: ScoreTree | None, separator: str = " ") -> dict[str, float]:
    """Returns {"combined": x, "<task> <score>": x}."""
    flat: dict[str, float] = {}
    for name, value in (scores or {}).items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{separator}{score}": number for score, number in value.items()}
        else:
            flat[name] = value
    return flat


def main_scores(dev: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[str, float]]:
    """Returns task -> name and value of its main score: the first that a task reports."""
    return {task: next(iter(scores.items())) for task, scores in dev.items() if scores}


def is_share(name: str) -> bool:
    """Returns whether a score, flat or not, is read in percent."""
    return _words(name)[-1] not in _NOT_SHARES


def ends_of(name: str) -> tuple[float, float]:
    """Returns the least and the most that a score of a task can be, infinite where nobody knows.

    Args:
        name: Its flat name, such as "slots/f1" or "slots/f1/PER"; not that of the objective: what
            that can be hangs on its kind.
    """
    first, *rest = _words(name)
    known = (_ENDS[word] for word in rest or [first] if word in _ENDS)
    return next(known, (-math.inf, math.inf))


def _words(name: str) -> list[str]:
    # Names come as "intent accuracy", "intent/accuracy" or "intent.accuracy"; the last word counts.
    return name.replace(" ", "/").replace(".", "/").split("/")


def show_score(name: str, value: float | None) -> str:
    """Returns a share in percent ("98.20"), another score as it is; "-" when there is none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{100 * value:.2f}" if is_share(name) else f"{value:.4g}"


def show_difference(name: str, value: float | None) -> str:
    """Returns a difference of scores with its sign: "+1.30" percentage points."""
    if value is None or math.isnan(value):
        return "-"
    # "z" turns a rounded -0.00 into +0.00.
    return f"{100 * value:+z.2f}" if is_share(name) else f"{value:+z.4g}"


def only_finite(tree: Any) -> Any:
    """Returns nested data with None for NaN and infinities, which are no JSON."""
    if isinstance(tree, Mapping):
        return {key: only_finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [only_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
