"""The objective by which the worst task counts alone."""

from collections.abc import Mapping
from typing import Literal

from mtl_core.training.objectives.base import Objective


class Minimum(Objective):
    """The main score of the worst task."""

    kind: Literal["minimum"] = "minimum"

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        return min(main_scores.values())

    def _worth(self, tasks: Mapping[str, Mapping[str, int]]) -> int:
        return min(sum(rows.values()) for rows in tasks.values())
