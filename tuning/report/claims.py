"""Words in which reports tell of a difference: how large, how sure, and what to do about it."""

import math
from collections.abc import Iterable, Mapping

from mtl_core.scores import show_difference
from tuning.statistics.estimates import Claim, Difference, Estimate, Over, Where

UNSEEN = "the rows of test that do not stand in train"
ROWS: Mapping[Where, str] = {"dev": "dev", "test": "test", "unseen": UNSEEN}
"""What rows are called in a sentence."""

NOT_SURE = "how sure that is, is not known"
ONE_RUN = (
    "This rests on one run of each, so other seeds are not allowed for; `study.finals` trains with "
    "several."
)

KEEP_DEFAULT: Mapping[Claim, str] = {
    "cannot be told": "Keep the default: nothing shows that another is better.",
    "worse": "Keep the default.",
}
"""What to do where a recipe is not better than the default."""

_ALLOWED: Mapping[Over, str] = {
    "seeds": "other seeds alone, on these very rows",
    "rows": "other rows alone, of one run each",
    "seeds and rows": "other seeds and other rows of test",
}


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


def over_of(found: Estimate | None) -> Over | None:
    """Returns what an interval allows for; None where there is none."""
    return None if found is None or math.isnan(found.low) else found.over


def allows_for(overs: Iterable[Over | None]) -> str:
    """Returns what the intervals of a row allow for; each in turn where they differ, "-" = none."""
    told = [over for over in overs if over is not None]
    return " / ".join(told if len(set(told)) > 1 else told[:1]) or "-"


def allowed_for(overs: Iterable[Over | None]) -> list[str]:
    """Returns a sentence on what the intervals of tables allow for; [] where there are none."""
    found = set(overs)
    told = [f"{over} = {text}" for over, text in _ALLOWED.items() if over in found]
    if not told:
        return []
    tail = " One that allows for less is narrower, and not surer." if len(told) > 1 else ""
    return [f"What an interval allows for: {'; '.join(told)}.{tail}"]
