"""Objectives: one number on the dev split by which epochs and runs are compared.

They are built from scores alone, never from losses: losses are scaled by weights that may be
searched, so the search would be rewarded for small weights.
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
    """What at least one task of a run has to be, in words for the error."""

    def counts(self, task: Task) -> bool:
        """Returns whether the objective depends on a task."""
        return not task.is_auxiliary

    @abstractmethod
    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better.

        Args:
            main_scores: Main scores of the tasks that are not auxiliary, each at most 1.
            joint_accuracy: Share of sentences with every labelled task right, in [0, 1].
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
        # A correlation may be negative, and the product of two such a good score; each counts as
        # nothing learnt.
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
        """Returns whether the objective depends on a task: whether its rows are right or wrong."""
        # Asked about no rows: a task that knows no right or wrong answers None to any outcome.
        return super().counts(task) and task.is_right(Outcome([], [])) is not None

    def combine(self, main_scores: Collection[float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        return joint_accuracy


ObjectiveSection = Annotated[
    Mean | GeometricMean | Minimum | JointAccuracy, Field(discriminator="kind")
]


def counted_tasks(objective: Objective, tasks: Mapping[str, Task]) -> list[str]:
    """Returns the names of the tasks that an objective depends on."""
    return [name for name, task in tasks.items() if objective.counts(task)]


def check_objective(objective: Objective, tasks: Mapping[str, Task]) -> None:
    """Refuses an objective that no task has a score for.

    Raises:
        ConfigError: All tasks are auxiliary; or the objective is joint accuracy, and the rows of no
            task are right or wrong, as with regression alone.
    """
    if not counted_tasks(objective, tasks):
        raise ConfigError(
            f"study.objective: {objective.kind} needs {objective.needs}; found none; "
            "allowed here: mean, geometric_mean, minimum"
        )
