"""Private parts of sacrebleu 2.6: what a corpus score is made of, text by text."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sacrebleu.metrics.base import Metric

CorpusScore = Literal["bleu", "chrf"]


def statistics(
    name: CorpusScore, written: "Sequence[str]", gold: "Sequence[str]"
) -> npt.NDArray[np.float64]:
    """Returns lengths and n-grams of each text, whose sums make the score, (texts, numbers)."""
    found = _metric(name)._extract_corpus_statistics(list(written), [list(gold)])
    return np.array(found, dtype=np.float64)


def score(name: CorpusScore, sums: npt.NDArray[np.float64]) -> float:
    """Returns a score in [0, 1] of summed statistics, (numbers,)."""
    # Counts, that arrays hold as floats; sacrebleu formats some of them as whole numbers.
    return float(_metric(name)._compute_score_from_stats(sums.astype(int).tolist()).score) / 100


def _metric(name: CorpusScore) -> "Metric":
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    # `force`: sacrebleu warns of texts that look tokenised, which those of some data sets are.
    return BLEU(force=True) if name == "bleu" else CHRF()
