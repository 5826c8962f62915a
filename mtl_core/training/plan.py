"""The plan of an epoch: which rows of which data set make up each optimiser step."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mtl_core.data.batching import similar_length_batches
from mtl_core.data.encode import NO_LABEL, EncodedSplit, Int64Array, Ragged
from mtl_core.data.store import EncodedDataset


@dataclass(frozen=True, slots=True)
class GlobalBatch:
    """The rows of one optimiser step, over all workers and accumulated parts.

    Attributes:
        dataset: Name of the data set.
        rows: Row numbers, (batch,).
        counts: Task name -> labels in these rows that the loss counts.
    """

    dataset: str
    rows: Int64Array
    counts: Mapping[str, int]

    def part(self, number: int, parts: int) -> tuple[Int64Array, bool]:
        """Returns the rows of one part, and whether they only stand in for an empty part.

        Parts are dealt like cards: rows of similar length stand together in a batch, so every
        part gets the same mix of lengths.
        """
        rows = self.rows[number::parts]
        return (rows, False) if len(rows) else (self.rows[:1], True)


class TrainingPlan:
    """Makes the same plan on every worker from the same generator.

    An epoch is one pass over all rows that carry a label of a task that trains; the batches of
    all data sets are shuffled together, so each data set is drawn in proportion to its size.
    """

    def __init__(
        self,
        datasets: Mapping[str, EncodedDataset],
        trained: Collection[str],
        *,
        batch_size: int,
    ) -> None:
        self._batch_size = batch_size
        self._counts: dict[str, dict[str, Int64Array]] = {}
        self._rows: dict[str, Int64Array] = {}
        self._lengths: dict[str, Int64Array] = {}
        for name, dataset in datasets.items():
            split = dataset.splits["train"]
            counts = {task: _label_counts(split, task) for task in split.labels if task in trained}
            if counts:
                self._counts[name] = counts
                self._rows[name] = np.flatnonzero(sum(counts.values()))
                self._lengths[name] = split.token_ids.lengths()[self._rows[name]]

    @property
    def rows_per_epoch(self) -> int:
        """Sentences an epoch."""
        return sum(len(rows) for rows in self._rows.values())

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps an epoch."""
        return sum(-(-len(rows) // self._batch_size) for rows in self._rows.values())

    def epoch(self, generator: np.random.Generator) -> Iterator[GlobalBatch]:
        """Yields the steps of an epoch in random order."""
        batches = [
            (name, self._rows[name][picked])
            for name, lengths in self._lengths.items()
            for picked in similar_length_batches(
                lengths, batch_size=self._batch_size, generator=generator
            )
        ]
        for number in generator.permutation(len(batches)):
            name, rows = batches[number]
            counts = {task: int(labels[rows].sum()) for task, labels in self._counts[name].items()}
            yield GlobalBatch(name, rows, counts)


def _label_counts(split: EncodedSplit, task: str) -> Int64Array:
    """Returns how many labels of each row train, (rows,); words that were cut off do not."""
    labels = split.labels[task]
    if not isinstance(labels, Ragged):
        return np.asarray(labels != NO_LABEL, dtype=np.int64)
    is_counted = (labels.values != NO_LABEL) & (split.word_starts.values >= 0)
    totals = np.concatenate([[0], np.cumsum(is_counted)])
    return np.asarray(totals[labels.offsets[1:]] - totals[labels.offsets[:-1]], dtype=np.int64)
