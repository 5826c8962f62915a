"""Several objectives at once: the trials that no other beats in every task, and one of them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from pydantic import Field

from mtl_core.tasks.base import Task
from mtl_core.training.objectives.base import Floor, KeyPath, Objective


class Pareto(Objective):
    """The main score of each task by itself: a study finds the trials that none beats in all.

    One of these, the front, is chosen: the one that is best in the other tasks among those that
    hold all `floors`; without floors the knee, where more in one task begins to cost much in
    another (see `tuning.fronts.knee`). The epoch of a trial is chosen by the mean of the scores,
    and so is what a scheduler that compares one number looks at.
    """

    kind: Literal["pareto"] = "pareto"
    tasks: tuple[str, ...] = ()
    """The tasks, at least two; default: all that are not auxiliary."""
    floors: dict[str, Floor] = Field(default_factory=dict)
    """Task -> least main score of the trial that is chosen, for instance {intent: 0.97}."""

    @property
    def named(self) -> Mapping[KeyPath, str]:
        """The keys below `study.objective` at which a name of a task stands -> that name."""
        found: dict[KeyPath, str] = {("tasks", str(at)): name for at, name in enumerate(self.tasks)}
        return found | {("floors", name): name for name in self.floors}

    def problems(self, counted: Collection[str]) -> Iterator[tuple[KeyPath, str]]:
        """Yields what is wrong with it in a run: the key below it, and a sentence."""
        yield from super().problems(counted)
        names = self.tasks or tuple(counted)
        if len(set(names)) < len(names):
            yield ("tasks",), f"a task stands twice among {', '.join(names)}"
        elif len(names) < 2:
            found = ", ".join(names) or "none"
            yield (
                ("tasks",) if self.tasks else ("kind",),
                f"pareto needs two tasks or more that are not auxiliary; found {found}; "
                "of one task take the mean",
            )
        for name in self.floors:
            if name in counted and name not in names:
                yield ("floors", name), f"no task '{name}' among them; allowed: {', '.join(names)}"

    def counts(self, task: Task) -> bool:
        """Returns whether the objective depends on a task."""
        return super().counts(task) and (not self.tasks or task.name in self.tasks)

    def goals(self, counted: Collection[str]) -> Mapping[str, float | None]:
        """Returns the tasks whose main scores are objectives of their own -> least score wanted."""
        return {name: self.floors.get(name) for name in self.tasks or counted}

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the mean of the main scores, by which the epoch of a trial is chosen."""
        names = self.tasks or tuple(main_scores)
        return sum(main_scores[name] for name in names) / len(names)
