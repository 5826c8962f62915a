"""Labels of one task from several data sets, merged by name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtl_core.data.encoded import NO_LABEL, EncodedSplit, Int32Array, LabelArray, LabelNames, Ragged
from mtl_core.data.store import EncodedDataset


def merge_labels(datasets: Mapping[str, EncodedDataset]) -> dict[str, EncodedDataset]:
    """Returns the data sets with one numbering of labels a task.

    A label that one data set holds in its train split is a trained one in all of them.
    """
    tasks = {task for dataset in datasets.values() for task in dataset.labels}
    carriers = {
        task: [dataset for dataset in datasets.values() if task in dataset.labels] for task in tasks
    }
    merged = {
        task: merge_names([dataset.labels[task] for dataset in found])
        for task, found in carriers.items()
    }
    return {
        name: _renumber(dataset, {task: merged[task] for task in dataset.labels})
        for name, dataset in datasets.items()
    }


def merge_names(names: Sequence[LabelNames]) -> LabelNames:
    """Returns the labels, counts and moments of all."""
    if len(names) == 1:
        return names[0]
    counts: Counter[str] = Counter()
    for one in names:
        counts.update(dict(zip(one.trained, one.counts, strict=True)) if one.trained else {})
    trained = tuple(sorted({label for one in names for label in one.trained}))
    unseen = {label for one in names for label in one.unseen} - set(trained)
    if trained:
        return LabelNames(trained, tuple(sorted(unseen)), tuple(counts[label] for label in trained))
    sizes = np.array([sum(one.counts) for one in names], dtype=np.float64)
    if not sizes.any():
        return LabelNames((), ())
    means = np.array([one.mean for one in names])
    mean = float(np.average(means, weights=sizes))
    squares = np.array([one.deviation**2 for one in names]) + (means - mean) ** 2
    deviation = float(np.sqrt(np.average(squares, weights=sizes)))
    return LabelNames((), (), (int(sizes.sum()),), mean, deviation)


def _renumber(dataset: EncodedDataset, labels: Mapping[str, LabelNames]) -> EncodedDataset:
    new = {task: names for task, names in labels.items() if names.all != dataset.labels[task].all}
    lookups = {
        task: np.array([names.all.index(label) for label in dataset.labels[task].all], np.int32)
        for task, names in new.items()
    }
    splits = {
        name: _with_labels(
            split,
            {
                task: _map_ids(split.labels[task], lookup, len(labels[task].all))
                for task, lookup in lookups.items()
            },
        )
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits, labels=labels)


def _with_labels(split: EncodedSplit, labels: Mapping[str, LabelArray]) -> EncodedSplit:
    return replace(split, labels={**split.labels, **labels}) if labels else split


def _map_ids(values: LabelArray, lookup: Int32Array, width: int) -> LabelArray:
    if isinstance(values, Ragged):
        return Ragged(_look_up(values.values, lookup), values.offsets)
    if values.ndim == 1:
        return _look_up(np.asarray(values, dtype=np.int32), lookup)
    wide = np.zeros((len(values), width), dtype=np.int32)
    wide[:, lookup] = values
    wide[values[:, 0] == NO_LABEL] = NO_LABEL
    return wide


def _look_up(ids: Int32Array, lookup: Int32Array) -> Int32Array:
    return np.where(ids >= 0, lookup[np.maximum(ids, 0)], ids)
