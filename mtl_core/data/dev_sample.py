"""A fixed sample of dev, on which reports within an epoch are scored."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mtl_core.data.arrays import BoolArray, Int64Array
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.store import EncodedDataset

Datasets = Mapping[str, EncodedDataset]


def sample_of_dev(
    datasets: Datasets, rows: int | None, *, seed: int
) -> dict[str, EncodedDataset] | None:
    """Returns the data sets with a sample of their dev splits; None where that would be all of dev.

    Args:
        datasets: Data set name -> encoded data.
        rows: Of how many labelled examples of dev each task is scored, per data set; None = all.
        seed: Of the draw; the same rows come again for the same seed.
    """
    if rows is None:
        return None
    drawn = {
        name: drawn_examples(dataset.splits["dev"], rows, seed=seed)
        for name, dataset in datasets.items()
    }
    if all(len(drawn[name]) == one.splits["dev"].num_examples for name, one in datasets.items()):
        return None
    return {
        name: replace(dataset, splits={"dev": dataset.splits["dev"].take(drawn[name])})
        for name, dataset in datasets.items()
    }


def drawn_examples(split: EncodedSplit, rows: int, *, seed: int) -> Int64Array:
    """Returns the numbers of the examples of a sample, (n,), rising.

    Of each task the first `rows` that have its label, in one random order for all: where examples
    have the labels of all tasks, the sample has `rows` examples.
    """
    is_drawn = np.zeros(split.num_examples, dtype=bool)
    for task in split.labels:
        is_drawn[_drawn(split, task, rows, seed=seed)] = True
    return np.flatnonzero(is_drawn)


def drawn_rows(split: EncodedSplit, task: str, examples: int | None, *, seed: int) -> Int64Array:
    """Returns the numbers of the rows of a sample of a task's labelled examples, (n,), rising.

    Args:
        split: The rows.
        task: The task.
        examples: Of how many examples, of which a row may be a piece; None = of all.
        seed: Of the draw; more examples with the same seed are those of fewer, and others.
    """
    drawn = _drawn(split, task, examples, seed=seed)
    if split.source is None:
        return np.sort(drawn)
    return np.flatnonzero(np.isin(split.source.of_row, drawn))


def _drawn(split: EncodedSplit, task: str, examples: int | None, *, seed: int) -> Int64Array:
    """Returns the first labelled examples of a random order, (n,)."""
    order = np.random.default_rng(seed).permutation(split.num_examples)
    found: Int64Array = order[_is_labelled(split, task)[order]][:examples]
    return found


def _is_labelled(split: EncodedSplit, task: str) -> BoolArray:
    """Returns which examples have a label of a task, (examples,); all, where none has."""
    of_row = np.array([len(gold) > 0 for gold in split.gold(task)], dtype=bool)
    if not of_row.any():  # Labels that are made of the words themselves.
        return np.ones(split.num_examples, dtype=bool)
    if split.source is None:
        return of_row
    found = np.zeros(split.num_examples, dtype=bool)
    found[split.source.of_row[of_row]] = True
    return found
