"""Words in which reports tell of a difference: how large, how sure, and what to do about it."""

from collections.abc import Mapping

from mtl_core.scores import show_difference
from tuning.statistics.estimates import Claim, Difference, Where

UNSEEN = "the rows of test that do not stand in train"
ROWS: Mapping[Where, str] = {"dev": "dev", "test": "test", "unseen": UNSEEN}
"""What rows are called in a sentence."""

NOT_SURE = "how sure that is, is not known"
ONE_RUN = (
    "This rests on one run of each, so other seeds are not allowed for; `study.finals` trains with "
    "several."
)

KEEP_DEFAULT: Mapping[Claim, str] = {
    "cannot be told": "Keep the default: as far as can be told it is as good.",
    "worse": "Keep the default.",
}
"""What to do where a recipe is not better than the default."""


def in_points(found: Difference) -> str:
    """Returns "+1.30 points, 95 % interval +0.40 to +2.20"."""
    by = f"{show_difference(found.score, found.estimate.mean)} points"
    ends = interval_of(found)
    return f"{by}, 95 % interval {ends}" if ends else by


def interval_of(found: Difference) -> str:
    """Returns "+0.40 to +2.20"; "" where nothing can be told."""
    low, high = (
        show_difference(found.score, end) for end in (found.estimate.low, found.estimate.high)
    )
    return "" if low == "-" else f"{low} to {high}"
