"""The objective of most studies: the mean of the tasks' main scores."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.training.objectives.base import KeyPath, Objective


class Mean(Objective):
    """The mean of the tasks' main scores."""

    kind: Literal["mean"] = "mean"
    weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Task -> how much it weighs in the mean; a task that is not named weighs 1."""

    @property
    def named(self) -> Mapping[KeyPath, str]:
        """The keys below `study.objective` at which a name of a task stands -> that name."""
        return {("weights", name): name for name in self.weights}

    def weight_of(self, task: str) -> float:
        """Returns how much a task weighs in the objective, above 0."""
        return self.weights.get(task, 1.0)

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        whole = sum(self.weight_of(name) for name in main_scores)
        return sum(self.weight_of(name) * score for name, score in main_scores.items()) / whole
