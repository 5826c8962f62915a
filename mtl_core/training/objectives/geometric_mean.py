"""The objective in which one bad task costs more than in the mean."""

import math
from collections.abc import Mapping
from typing import Literal

from mtl_core.training.objectives.base import Objective


class GeometricMean(Objective):
    """The geometric mean of the tasks' main scores; one bad task costs more than in the mean."""

    kind: Literal["geometric_mean"] = "geometric_mean"

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        # A correlation may be negative, and the product of two such a good score; each counts as
        # nothing learnt.
        scores = [max(0.0, score) for score in main_scores.values()]
        return math.prod(scores) ** (1 / len(scores))
