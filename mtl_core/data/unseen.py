"""Rows of dev and test that stand in train, also in that of another data set with the same task.

Scores without them say what a model has learnt, and not what it remembers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from mtl_core.data.inspection import MOST_KNOWN
from mtl_core.data.notes import SplitNotes, by_importance, leaks, percent
from mtl_core.data.store import EncodedDataset

Datasets = Mapping[str, EncodedDataset]


def with_leaks_between(datasets: Datasets) -> dict[str, EncodedDataset]:
    """Returns the data sets with notes on rows that stand in train of another one.

    Only of one that shares a task: the labels of another task give nothing away.
    """
    found = {}
    for name, dataset in datasets.items():
        notes = []
        for split in (one for one in dataset.splits if one != "train"):
            said = SplitNotes(split)
            _note_leak(said, dataset, _related(datasets, dataset))
            notes += [replace(note, dataset=name) for note in said.found]
        found[name] = replace(dataset, notes=by_importance([*dataset.notes, *notes]))
    return found


def unseen_rows(datasets: Datasets, split: str) -> dict[str, EncodedDataset]:
    """Returns the data sets with only those rows of a split whose texts do not stand in train.

    A data set that has no such row, or whose rows are no texts (chunks of running text), comes
    without the split.

    Returns:
        Nothing where so few rows stand in train that no note was made of them.
    """
    notes = [note for dataset in datasets.values() for note in dataset.notes]
    if not leaks(notes, split):
        return {}
    return {
        name: _without_known(dataset, [dataset, *_related(datasets, dataset)], split)
        for name, dataset in datasets.items()
    }


def _related(datasets: Datasets, dataset: EncodedDataset) -> list[EncodedDataset]:
    """Returns the other data sets that share a task with one."""
    return [
        other
        for name, other in datasets.items()
        if name != dataset.name and other.labels.keys() & dataset.labels.keys()
    ]


def _note_leak(
    notes: SplitNotes, dataset: EncodedDataset, others: Iterable[EncodedDataset]
) -> None:
    texts = dataset.texts[notes.split]
    # Those that stand in its own train are told of already.
    is_own = np.isin(texts, dataset.texts["train"])
    for other in others:
        count = int((np.isin(texts, other.texts["train"]) & ~is_own).sum())
        if count > MOST_KNOWN * len(texts):
            notes.add(
                "known",
                f"{count:,} of {len(texts):,} rows ({percent(count, len(texts))}) stand in train "
                f"of data set '{other.name}', which has the same task; scores on them say little",
                level="serious",
                count=count,
                of=len(texts),
            )


def _without_known(
    dataset: EncodedDataset, trained: Iterable[EncodedDataset], split: str
) -> EncodedDataset:
    splits = dict(dataset.splits)
    rows = splits.pop(split, None)
    if rows is not None and rows.num_examples == len(dataset.texts[split]):
        known = np.concatenate([one.texts["train"] for one in trained])
        unseen = np.flatnonzero(~np.isin(dataset.texts[split], known))
        if len(unseen):
            splits[split] = rows.take(unseen)
    return replace(dataset, splits=splits)
