"""What is known of a score of a recipe from several runs, and of the difference between two.

Types alone, so that reports read them without numpy; `tuning.statistics.seeds` computes them.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from mtl_core.number_types import KEPT, Count, Score

Over = Literal["seeds", "rows", "seeds and rows"]
"""What an interval allows for: that the recipe is trained with other seeds, that it is scored on
other rows of the kind, or both."""

Claim = Literal["better", "worse", "cannot be told"]
"""What may be said of the first of two recipes: the interval of the difference lies above 0, below
it, or holds it."""

Where = Literal["dev", "test", "unseen"]
"""The rows that were scored: a split, or the rows of test that do not stand in train."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score of a recipe, or a difference of two, over runs that differ in their seeds.

    Attributes:
        mean: Mean over the runs.
        sd: Standard deviation of a single run, with n - 1; of a difference that of one run of
            each. NaN of a single run.
        low: Low end of the two-sided 95 % interval of `mean`; NaN where nothing can be told.
        high: High end of it.
        count: Number of runs; of a difference that of the recipe that has fewer.
        over: What the interval allows for.
    """

    __pydantic_config__ = KEPT

    mean: Score
    sd: Score
    low: Score
    high: Score
    count: Count
    over: Over = "seeds"

    @property
    def claim(self) -> Claim:
        """What may be said of a difference."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "cannot be told"

    def within(self, least: float, most: float) -> "Estimate":
        """Returns the estimate with an interval that holds nothing that cannot be.

        So it covers what it is of as often as before. Of scores that are equal but for rounding, it
        holds the mean all the same.

        Args:
            least: The least that it can be of; -inf = there is no such.
            most: The most, likewise.
        """
        if math.isnan(self.low):
            return self
        low, high = max(self.low, least), min(self.high, most)
        return replace(self, low=min(low, self.mean), high=max(high, self.mean))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one recipe is than another in a score.

    Attributes:
        first: What the first is called, such as the id of its trial.
        second: What the second is called.
        score: Flat name of the score, "combined" or "intent/accuracy".
        estimate: First minus second.
        claim: What may be said of the first.
        where: The rows that both were scored on.
    """

    __pydantic_config__ = KEPT

    first: str
    second: str
    score: str
    estimate: Estimate
    claim: Claim
    where: Where = "test"
