"""What reports say of the data of a study, kept in `facts.json`: no report opens the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core.data.notes import DataNote, Lengths
from mtl_core.number_types import KEPT, Count

if TYPE_CHECKING:
    from mtl_core.assets import Data
    from mtl_core.config import RunConfig

_FREQUENT = 3
"""Labels of a task that are named with their counts."""
_UNSEEN = 20
"""Labels that train lacks that are named."""


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """A split of a data set.

    Attributes:
        dataset: Key of the data set.
        split: Name of the split.
        labelled: Task name -> rows with its labels.
        lengths: How long its rows are.
    """

    __pydantic_config__ = KEPT

    dataset: str
    split: str
    labelled: Mapping[str, Count]
    lengths: Lengths


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """The labels of a task, over all its data sets.

    Attributes:
        task: Its key.
        kind: Its kind.
        rows: Rows of train with its labels.
        labels: Labels that train has; 0 where they have no names.
        frequent: The most frequent of them, and how often each stands in train.
        unseen: Labels that only dev or test has, the first of them.
        num_unseen: How many of those there are.
    """

    __pydantic_config__ = KEPT

    task: str
    kind: str
    rows: Count
    labels: Count
    frequent: Mapping[str, Count]
    unseen: Sequence[str]
    num_unseen: Count


@dataclass(frozen=True, slots=True)
class DataFacts:
    """The data of a study.

    Attributes:
        splits: Every split of every data set.
        tasks: Every task.
        notes: What a user should know of the data, the most important first.
    """

    __pydantic_config__ = KEPT

    splits: Sequence[SplitFacts]
    tasks: Sequence[TaskFacts]
    notes: Sequence[DataNote]


def data_facts(config: "RunConfig", data: "Data") -> DataFacts:
    """Returns the facts of encoded data."""
    splits = [
        SplitFacts(
            name,
            split,
            {task: encoded.num_labelled(task) for task in dataset.labels},
            dataset.lengths[split],
        )
        for name, dataset in data.datasets.items()
        for split, encoded in dataset.splits.items()
    ]
    tasks = [_task_facts(name, config, data) for name in config.tasks]
    return DataFacts(splits, tasks, list(data.notes))


def _task_facts(name: str, config: "RunConfig", data: "Data") -> TaskFacts:
    section = config.tasks[name]
    carriers = [data.datasets[key] for key in section.datasets]
    # Labels of several data sets were merged, so the first has the names of all.
    labels = carriers[0].labels[name]
    # Sorting is stable: equally frequent labels stay in their order, and the output the same.
    ranked = sorted(labels.frequencies.items(), key=lambda pair: -pair[1])
    return TaskFacts(
        name,
        section.kind,
        sum(carrier.splits["train"].num_labelled(name) for carrier in carriers),
        len(labels.trained),
        dict(ranked[:_FREQUENT]),
        list(labels.unseen[:_UNSEEN]),
        len(labels.unseen),
    )
