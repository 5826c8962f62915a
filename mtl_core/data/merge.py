"""Merging: one numbering of labels for a task that several data sets carry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.store import EncodedDataset


def merge_labels(datasets: Mapping[str, EncodedDataset]) -> dict[str, EncodedDataset]:
    """Returns the data sets with one numbering of labels per task.

    A label that one data set holds in its train split is a trained one in all of them.
    """
    merged: dict[str, Any] = {}
    for task in dict.fromkeys(task for dataset in datasets.values() for task in dataset.labels):
        carriers = [dataset for dataset in datasets.values() if task in dataset.labels]
        parts = [dataset.labels[task] for dataset in carriers]
        # Any of their columns will do: how labels are joined depends on the kind alone.
        column = next(iter(carriers[0].splits.values())).labels.columns[task]
        # One data set keeps its numbering, so that the mapped files are used as they are.
        merged[task] = column.merge(parts) if len(parts) > 1 else parts[0]
    return {
        name: _renumber(dataset, {task: merged[task] for task in dataset.labels})
        for name, dataset in datasets.items()
    }


def _renumber(dataset: EncodedDataset, labels: Mapping[str, Labels]) -> EncodedDataset:
    # Labels without names (numbers, answers) have no ids that could change: only what is known of
    # them is replaced, such as the mean of the numbers.
    if all(new.all == dataset.labels[task].all for task, new in labels.items()):
        return replace(dataset, labels=labels)
    splits = {
        name: _with_labels(split, dataset.labels, labels) for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits, labels=labels)


def _with_labels(
    split: EncodedSplit, old: Mapping[str, Labels], new: Mapping[str, Labels]
) -> EncodedSplit:
    # `renumber` returns the very array where nothing changes, so that it stays a mapped one.
    columns = split.labels.columns
    return replace(
        split,
        labels=TaskLabels(
            (column, column.renumber(split.labels[task], old[task], new[task]))
            for task, column in columns.items()
        ),
    )
