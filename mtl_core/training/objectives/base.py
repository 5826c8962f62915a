"""The contract of objectives: from scores on dev to one number by which runs are compared.

Objectives are built from scores alone, never from losses: losses are scaled by weights that may be
searched, so the search would be rewarded for small weights.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.printable import one_line
from mtl_core.section import Section
from mtl_core.tasks.base import Task

Floor = Annotated[float, Field(gt=0, le=1)]
"""A score that is wanted at least."""

KeyPath = tuple[str, ...]


class Objective(Section, ABC):
    """Base of all kinds."""

    kind: str
    """The kind of objective."""

    needs: ClassVar[str] = "a task that is not auxiliary"
    """What at least one task of a run has to be, in words for the error."""

    is_gain: ClassVar[bool] = False
    """Whether it may lie beyond the ends of the main scores, as a gain over something does."""

    def counts(self, task: Task) -> bool:
        """Returns whether the objective depends on a task."""
        return not task.is_auxiliary

    def goals(self, counted: Collection[str]) -> Mapping[str, float | None]:
        """Returns the tasks whose main scores are objectives of their own -> least score wanted.

        Args:
            counted: Names of the run's tasks that are not auxiliary.

        Returns:
            Nothing = there is one objective, what `combine` returns.
        """
        del counted
        return {}

    @property
    def named(self) -> Mapping[KeyPath, str]:
        """The keys below `study.objective` at which a name of a task stands -> that name."""
        return {}

    def problems(self, counted: Collection[str]) -> Iterator[tuple[KeyPath, str]]:
        """Yields what is wrong with it in a run: the key below it, and a sentence.

        Args:
            counted: Names of the run's tasks that are not auxiliary.
        """
        for path, name in self.named.items():
            if name not in counted:
                yield path, unknown_task(name, counted)

    def unmeasured(self, counted: Collection[str]) -> list[str]:
        """Returns the tasks whose scores, when each is trained alone, it needs and does not know.

        Args:
            counted: Names of the run's tasks that are not auxiliary.
        """
        del counted
        return []

    def over(self, baselines: Mapping[str, float]) -> Self:
        """Returns it with what it needs to know of the tasks when each is trained alone.

        Args:
            baselines: Task -> main score on dev.
        """
        del baselines
        return self

    @abstractmethod
    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better.

        Args:
            main_scores: Task -> main score, of the tasks that are not auxiliary; each at most 1.
            joint_accuracy: Share of sentences with every labelled task right, in [0, 1].
        """

    def weight_of(self, task: str) -> float:
        """Returns how much a task weighs in the objective, above 0."""
        del task
        return 1.0

    def worth_in_rows(self, tasks: Mapping[str, Mapping[str, int]]) -> int:
        """Returns of how many rows the objective is a share, as far as chance goes.

        A mean over data sets of 1,000 and 100 rows is not as sure as a share of 1,100: half of it
        hangs on the 100. Tasks on the same data set are taken to err on the same rows, and data
        sets to have nothing to do with each other.

        Args:
            tasks: For each task that counts: data set -> rows with its labels.

        Returns:
            The rows; 0 when a task has none, so that there is no score.
        """
        if not tasks or not all(sum(rows.values()) for rows in tasks.values()):
            return 0
        return self._worth(tasks)

    def _worth(self, tasks: Mapping[str, Mapping[str, int]]) -> int:
        # n_td = rows of task t in data set d, N_t = sum_d n_td, w_t = its share of the weights. The
        # deviation of a share of n rows is that of a single row by sqrt(n). Within a data set the
        # tasks err together, so deviations add up: s_d = sum_t w_t n_td / N_t / sqrt(n_td). Between
        # data sets the variances do: 1/n = sum_d s_d^2.
        whole = sum(self.weight_of(name) for name in tasks)
        deviations = dict.fromkeys(datasets_of(tasks), 0.0)
        for name, rows in tasks.items():
            share = self.weight_of(name) / whole / sum(rows.values())
            for dataset, count in rows.items():
                deviations[dataset] += share * math.sqrt(count)
        return round(1 / sum(deviation**2 for deviation in deviations.values()))


def unknown_task(name: str, counted: Collection[str]) -> str:
    """Returns a sentence on a name that no task has which an objective may count."""
    return (
        f"no task '{one_line(name)}' that is not auxiliary; allowed: {', '.join(counted)}."
        f"{did_you_mean(name, counted)}"
    )


def datasets_of(tasks: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Returns the data sets of tasks, each once."""
    return list(dict.fromkeys(dataset for rows in tasks.values() for dataset in rows))


def counted_tasks(objective: Objective, tasks: Mapping[str, Task]) -> list[str]:
    """Returns the names of the tasks that an objective depends on."""
    return [name for name, task in tasks.items() if objective.counts(task)]


def check_objective(objective: Objective, tasks: Mapping[str, Task]) -> None:
    """Refuses an objective that no task has a score for, or that names tasks which are not there.

    Raises:
        ConfigError: All tasks are auxiliary; the objective is joint accuracy, and the rows of no
            task are right or wrong, as with regression alone; or it does not go with the tasks.
    """
    if not counted_tasks(objective, tasks):
        raise ConfigError(
            f"study.objective: {objective.kind} needs {objective.needs}; found none; "
            "allowed here: mean, geometric_mean, minimum"
        )
    main = [name for name, task in tasks.items() if not task.is_auxiliary]
    lines = [
        f"{'.'.join(('study', 'objective', *path))}: {text}"
        for path, text in objective.problems(main)
    ]
    if lines:
        raise ConfigError("\n".join(lines))
