"""The plan of an epoch: which rows of which data sets make up each optimiser step."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import similar_length_batches
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import ConfigError
from mtl_core.training.mixing import EpochToMix, MixingSection, Proportional

_PROPORTIONAL = Proportional()


@dataclass(frozen=True, slots=True)
class GlobalBatch:
    """The rows of one optimiser step, over all workers and micro-batches.

    Attributes:
        pieces: Name of a data set and row numbers, (rows,), int64; several for joint mixing alone.
        counts: Task name -> labels in these rows that the loss counts.
    """

    pieces: tuple[tuple[str, Int64Array], ...]
    counts: Mapping[str, int]

    @property
    def num_rows(self) -> int:
        """Rows of all pieces together."""
        return sum(len(rows) for _, rows in self.pieces)


class TrainingPlan:
    """Plans the steps of epochs; all workers get the same plan from the same generator.

    Rows that carry no label of a task that trains are left out. An epoch has as many steps as it
    takes to show all other rows once; see `mtl_core.training.mixing`.
    """

    def __init__(
        self,
        datasets: Mapping[str, EncodedDataset],
        trained: Collection[str],
        *,
        batch_size: int,
        mixing: MixingSection = _PROPORTIONAL,
        epochs: int = 1,
    ) -> None:
        self._batch_size = batch_size
        self._mixing = mixing
        self._epochs = epochs
        self._counts: dict[str, dict[str, Int64Array]] = {}
        self._rows: dict[str, Int64Array] = {}
        self._lengths: dict[str, Int64Array] = {}
        for name, dataset in datasets.items():
            split = dataset.splits["train"]
            counts = {
                task: column.count(split.labels[task], split.word_starts)
                for task, column in split.labels.columns.items()
                if task in trained
            }
            if counts:
                # Arrays of (rows of the data set,), so that a step only has to add up its own.
                self._counts[name] = counts
                self._rows[name] = np.flatnonzero(sum(counts.values()))
                self._lengths[name] = split.token_ids.lengths()[self._rows[name]]

    @property
    def rows_per_epoch(self) -> int:
        """Sentences per epoch, of all data sets."""
        return sum(len(rows) for rows in self._rows.values())

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps per epoch; the same for all kinds of mixing."""
        # Any epoch will do: steps depend on sizes alone.
        return self._to_mix(1, ()).steps

    def tasks(self, dataset: str) -> list[str]:
        """Returns the names of the tasks that train on a data set of the plan."""
        return list(self._counts[dataset])

    def epoch(
        self,
        number: int,
        generator: np.random.Generator,
        main_scores: Sequence[Mapping[str, float]] = (),
    ) -> Iterator[GlobalBatch]:
        """Yields the steps of an epoch.

        Args:
            number: The epoch, from 1.
            generator: Source of the order.
            main_scores: Task -> main dev score, of each epoch so far.
        """
        epoch, names = self._to_mix(number, main_scores), list(self._rows)
        # Each stream draws its seed when it is first asked for rows: after the order of the steps,
        # and in the order in which the data sets first come. Another order is another run.
        streams = [
            self._stream(name, int(size), generator)
            for name, size in zip(names, self._mixing.batch_sizes(epoch), strict=True)
        ]
        for drawn in self._mixing.steps(epoch, generator):
            yield self._step([(names[dataset], next(streams[dataset])) for dataset in drawn])

    def with_all_datasets(self, batch: GlobalBatch, generator: np.random.Generator) -> GlobalBatch:
        """Returns a step with rows of the data sets that it draws nothing from, as well.

        Args:
            batch: The step.
            generator: Draws the rows, as many as a step has that draws from the data set.
        """
        pieces = dict(batch.pieces)
        # Any epoch will do: how many rows a step takes is the same in all.
        sizes = self._mixing.batch_sizes(self._to_mix(1, ()))
        for (name, rows), size in zip(self._rows.items(), sizes, strict=True):
            if name not in pieces:
                drawn = generator.choice(rows, size=min(int(size), len(rows)), replace=False)
                pieces[name] = drawn
        # In one order, whichever data set the step is of: so tasks are always in the same, too.
        return self._step([(name, pieces[name]) for name in self._rows])

    def _to_mix(self, number: int, main_scores: Sequence[Mapping[str, float]]) -> EpochToMix:
        return EpochToMix(
            number,
            self._epochs,
            {name: len(rows) for name, rows in self._rows.items()},
            {name: list(counts) for name, counts in self._counts.items()},
            self._batch_size,
            main_scores,
        )

    def _stream(
        self, name: str, batch_size: int, generator: np.random.Generator
    ) -> Iterator[Int64Array]:
        """Yields batches of a data set without end; every row once before any comes again.

        A stream starts anew with every epoch, so that a resumed run is the uninterrupted one.
        """
        # Of its own: how often other data sets are drawn from does not change its order.
        own = np.random.default_rng(generator.integers(2**63))
        while True:
            for picked in similar_length_batches(
                self._lengths[name], batch_size=batch_size, generator=own
            ):
                # `picked` counts the rows that train; the numbers are those of the data set.
                yield self._rows[name][picked]

    def _step(self, pieces: Sequence[tuple[str, Int64Array]]) -> GlobalBatch:
        counts: dict[str, int] = {}
        for name, rows in pieces:
            for task, labels in self._counts[name].items():
                counts[task] = counts.get(task, 0) + int(labels[rows].sum())
        return GlobalBatch(tuple(pieces), counts)


def parts_of(steps: int, reports: int) -> list[range]:
    """Returns the numbers of the steps of an epoch, from 1, up to each of its reports.

    Args:
        steps: Of an epoch.
        reports: Of an epoch.

    Raises:
        ConfigError: There are more reports than steps.
    """
    if reports > steps:
        raise ConfigError(
            f"run.training.reports_per_epoch: expected at most a report for each step, found "
            f"{reports} reports for an epoch of {steps} step{'' if steps == 1 else 's'}"
        )
    # Rounded up: at 0.3 epochs at least that much of the epoch is done.
    ends = [-(-steps * number // reports) for number in range(reports + 1)]
    return [range(first + 1, last + 1) for first, last in pairwise(ends)]


def micro_batch_rows(rows: Int64Array, number: int, count: int) -> tuple[Int64Array, bool]:
    """Returns the rows of a micro-batch, and whether a row only stands in where there are none.

    Micro-batches are dealt like cards: rows of similar length stand together in a batch, so each
    gets the same mix of lengths.

    Args:
        rows: The rows of a step from one data set, (batch,).
        number: The micro-batch, from 0.
        count: Micro-batches of the step, over all workers.
    """
    own = rows[number::count]
    return (own, False) if len(own) else (rows[:1], True)
