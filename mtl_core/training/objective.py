"""Objectives: one number on the dev split by which epochs and recipes are compared.

They are built from scores alone, never from losses: a loss scaled by searched weights would
reward small weights.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtl_core.errors import ConfigError
from mtl_core.section import Section
from mtl_core.tasks.base import Outcome, Task


class Objective(Section, ABC):
    """Base of all kinds."""

    kind: str
    """The kind of objective."""

    needs: ClassVar[str] = "a task that is not auxiliary"
    """What the tasks of a run have to hold at least one of."""

    def counts(self, task: Task) -> bool:
        """Returns whether the objective hangs on a task."""
        return not task.is_auxiliary

    @abstractmethod
    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better.

        Args:
            main_scores: Of the tasks that are not auxiliary.
            joint_accuracy: Share of sentences with every labelled task right.
        """


class Mean(Objective):
    """The mean of the tasks' main scores."""

    kind: Literal["mean"] = "mean"

    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        return sum(main_scores) / len(main_scores)


class GeometricMean(Objective):
    """The geometric mean of the tasks' main scores; one bad task costs more than in the mean."""

    kind: Literal["geometric_mean"] = "geometric_mean"

    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        # A correlation may be negative; it then counts as nothing learnt.
        return math.prod(max(0.0, score) for score in main_scores) ** (1 / len(main_scores))


class Minimum(Objective):
    """The main score of the worst task."""

    kind: Literal["minimum"] = "minimum"

    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        return min(main_scores)


class JointAccuracy(Objective):
    """The share of sentences with every labelled task right."""

    kind: Literal["joint_accuracy"] = "joint_accuracy"
    needs: ClassVar[str] = (
        "a task whose sentences are right or wrong, such as classification or tagging"
    )

    def counts(self, task: Task) -> bool:
        """Returns whether the objective hangs on a task: whether it knows right from wrong."""
        return super().counts(task) and task.is_right(Outcome([], [])) is not None

    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        return joint_accuracy


ObjectiveSection = Annotated[
    Mean | GeometricMean | Minimum | JointAccuracy, Field(discriminator="kind")
]


def counted_tasks(objective: Objective, tasks: Mapping[str, Task]) -> list[str]:
    """Returns the names of the tasks that an objective hangs on."""
    return [name for name, task in tasks.items() if objective.counts(task)]


def check_objective(objective: Objective, tasks: Mapping[str, Task]) -> None:
    """Refuses an objective that no task has a score for.

    Raises:
        ConfigError: Joint accuracy is asked for, and no task knows right from wrong.
    """
    if not counted_tasks(objective, tasks):
        raise ConfigError(
            f"study.objective: {objective.kind} needs {objective.needs}; found none; "
            "allowed here: mean, geometric_mean, minimum"
        )
