"""The rows of a split that do not stand in train: scores on them say what a model has learnt."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.notes import leaks
from mtl_core.data.store import EncodedDataset


def unseen_rows(datasets: Mapping[str, EncodedDataset], split: str) -> dict[str, EncodedDataset]:
    """Returns the data sets with only those rows of a split whose texts do not stand in train.

    A data set that has no such row, or whose rows are no texts (chunks of running text), comes
    without the split.

    Returns:
        Nothing where so few rows stand in train that no note was made of them.
    """
    notes = [note for dataset in datasets.values() for note in dataset.notes]
    if not leaks(notes, split):
        return {}
    return {name: _without_known(dataset, split) for name, dataset in datasets.items()}


def _without_known(dataset: EncodedDataset, split: str) -> EncodedDataset:
    splits = dict(dataset.splits)
    rows = splits.pop(split, None)
    if rows is not None and _num_texts(rows) == dataset.lengths[split].examples:
        unseen = np.setdiff1d(np.arange(_num_texts(rows)), dataset.known[split])
        if len(unseen):
            splits[split] = rows.take(unseen)
    return replace(dataset, splits=splits)


def _num_texts(rows: EncodedSplit) -> int:
    return len(rows) if rows.source is None else len(rows.source)
