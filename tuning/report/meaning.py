"""What the scores mean that no task has: the objective, and rows that are right as a whole."""

from collections.abc import Mapping

_COMBINED: Mapping[str, str] = {
    "mean": "the mean of the main scores of the tasks, weighted as the study file says",
    "geometric_mean": "the geometric mean of the main scores of the tasks",
    "minimum": "the lowest of the main scores of the tasks",
    "joint_accuracy": "the same as `joint_accuracy`",
    "pareto": "the mean of the main scores that are objectives",
    "relative_gain": "the mean gain of the tasks over each of them alone",
}
"""Kind of the objective -> what `combined` is."""


def meaning_of_scores(objective: str) -> str:
    """Returns a sentence for each of the two, for below the first table that shows them.

    Args:
        objective: Kind of the objective.
    """
    combined = _COMBINED.get(objective, "the objective of the study, one number for all tasks")
    return (
        f"`combined` is {combined}, auxiliary tasks aside. `joint_accuracy` is the share of the "
        "labelled rows of which every task that has a label there is right."
    )
