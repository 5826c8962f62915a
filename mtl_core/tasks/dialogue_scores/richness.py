"""How rich the language of replies is."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_WORD = re.compile(r"\w+")
_WINDOW = 50
"""Words of a window of the type-token ratio."""


def richness(texts: Sequence[str]) -> dict[str, float]:
    """Returns how rich the language of texts is; NaN where they are too few words for a score.

    Words are runs of letters and digits in lower case; a placeholder such as [name] is one.

    Args:
        texts: The texts.

    Returns:
        `entropy` of words in bits; `conditional_entropy` of a word after the one before it, in
        bits; `length`, the mean in words; `msttr`, the mean share of distinct words in windows of
        50 (Johnson 1944), in [0, 1]; `unigrams`, `bigrams` and `trigrams`, how many distinct ones
        there are.
    """
    rows = [_WORD.findall(text.lower()) for text in texts]
    words = [word for row in rows for word in row]
    grams = [Counter(gram for row in rows for gram in _grams(row, size)) for size in (1, 2, 3)]
    firsts = Counter(first for row in rows for first in row[:-1])
    # H(first, second) - H(first) = H(second | first)
    conditional = _entropy(grams[1]) - _entropy(firsts) if grams[1] else float("nan")
    return {
        "entropy": _entropy(grams[0]),
        "conditional_entropy": conditional,
        "length": len(words) / len(rows) if rows else float("nan"),
        "msttr": _type_token_ratio(words),
        "unigrams": float(len(grams[0])),
        "bigrams": float(len(grams[1])),
        "trigrams": float(len(grams[2])),
    }


def _grams(words: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(size)), strict=False)


def _entropy(counts: Counter[Any]) -> float:
    if not counts:
        return float("nan")
    shares = np.array(list(counts.values())) / counts.total()
    return float((shares * np.log2(1 / shares)).sum())  # one word alone: 0, and not -0


def _type_token_ratio(words: Sequence[str]) -> float:
    # Without the words behind the last whole window: short texts have fewer repetitions.
    starts = range(0, len(words) - _WINDOW + 1, _WINDOW)
    ratios = [len(set(words[start : start + _WINDOW])) / _WINDOW for start in starts]
    return float(np.mean(ratios)) if ratios else float("nan")
