"""The objective by which a sentence counts as a whole."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from mtl_core.tasks.base import Task
from mtl_core.tasks.outcome import Outcome
from mtl_core.training.objectives.base import Objective, datasets_of


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

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better."""
        return joint_accuracy

    def _worth(self, tasks: Mapping[str, Mapping[str, int]]) -> int:
        # Each row is right or wrong as a whole.
        return sum(
            max(rows.get(dataset, 0) for rows in tasks.values()) for dataset in datasets_of(tasks)
        )
