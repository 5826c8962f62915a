"""Scores as people and other programs read them: flat names, percent, null in place of NaN."""

import math
from collections.abc import Mapping
from typing import Any

from mtl_core.number_types import Score

ScoreTree = Mapping[str, Score | Mapping[str, Score]]
"""{"combined": x, "<task>": {"<score>": x}}, as `result.json` holds it."""

_NOT_SHARES = {
    "mse", "perplexity", "entropy", "conditional_entropy", "length", "unigrams", "bigrams",
    "trigrams",
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
    # Names come as "intent accuracy", "intent/accuracy" or "intent.accuracy"; the last word counts.
    return name.replace(" ", "/").replace(".", "/").rpartition("/")[2] not in _NOT_SHARES


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
