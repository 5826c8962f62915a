"""The data loader: turns the row numbers of a step into this worker's micro-batches."""

from collections.abc import Iterator, Mapping

import numpy as np

from mtl_core.assets import Data, build_collator
from mtl_core.config import RunConfig
from mtl_core.data.arrays import Int64Array
from mtl_core.data.collate import Collator
from mtl_core.data.store import EncodedDataset
from mtl_core.training.distributed import Place
from mtl_core.training.forward import MicroBatch
from mtl_core.training.plan import GlobalBatch, TrainingPlan, micro_batch_rows


class BatchLoader:
    """Makes the micro-batches of each step of a plan.

    Attributes:
        datasets: Data set name -> encoded data. Between two epochs others with the same rows may
            take their place, which bring along what frozen layers compute of them.
        plan: Which rows make up each step.
        collator: Pads rows to a batch.
    """

    def __init__(
        self,
        datasets: Mapping[str, EncodedDataset],
        plan: TrainingPlan,
        collator: Collator,
        place: Place,
        *,
        accumulation: int,
        seed: int,
    ) -> None:
        """Makes a loader.

        Args:
            datasets: Data set name -> encoded data.
            plan: Which rows make up each step.
            collator: Pads rows to a batch.
            place: This worker.
            accumulation: Micro-batches that each worker makes of a data set's rows.
            seed: Seed of the run; what hides words draws from it.
        """
        self.datasets = datasets
        self.plan = plan
        self.collator = collator
        self._place = place
        self._accumulation = accumulation
        self._seed = seed

    def micro_batches(self, batch: GlobalBatch, epoch: int) -> Iterator[MicroBatch]:
        """Yields this worker's micro-batches of a step, on its device."""
        shares = self._accumulation * self._place.world_size
        for dataset, rows in batch.pieces:
            split = self.datasets[dataset].splits["train"]
            for number in range(self._accumulation):
                # Numbered over all workers: together the shares are the rows, each of them once.
                share = number * self._place.world_size + self._place.rank
                own, is_padding = micro_batch_rows(rows, share, shares)
                # Masking depends on seed, epoch and row, not on the share that a row falls into.
                local = self.collator(split, own, seed=(self._seed, epoch)).to(self._place.device)
                # All workers take part in each exchange of gradients, so none may be without rows;
                # one that stands in has no labels, and adds 0.
                kept = local.without_labels(split.labels.columns) if is_padding else local
                yield MicroBatch(kept, self.plan.tasks(dataset))

    def with_all_datasets(self, batch: GlobalBatch, epoch: int, number: int) -> GlobalBatch:
        """Returns a step with rows of all data sets, so that all tasks can be compared on it.

        Args:
            batch: The step; most kinds of mixing take its rows from one data set.
            epoch: Its epoch.
            number: Its place within the epoch, from 1.
        """
        # Drawn by itself: a run in which nobody asks for it draws the same rows for its steps.
        generator = np.random.default_rng([self._seed, epoch, number])
        return self.plan.with_all_datasets(batch, generator)

    def token_ids(self, batch: GlobalBatch) -> Int64Array:
        """Returns the token ids of a step, in one dimension, those of padding and masks included.

        They are those of all workers and micro-batches, so that all of them train the same rows
        of the word embeddings.
        """
        found = [np.array(self.collator.added_ids)]
        for dataset, rows in batch.pieces:
            ragged = self.datasets[dataset].splits["train"].token_ids
            found += [ragged.row(row) for row in rows.tolist()]
        return np.concatenate(found)


def build_loader(config: RunConfig, data: Data, place: Place) -> BatchLoader:
    """Builds the data side of a run.

    Raises:
        ConfigError: The tokenizer lacks what a task needs.
    """
    collator = build_collator(config, data.tokenizer)
    plan = TrainingPlan(
        data.datasets,
        [name for name, task in config.tasks.items() if task.weight > 0],
        batch_size=config.training.batch_size,
        mixing=config.mixing,
        epochs=config.training.epochs,
    )
    return BatchLoader(
        data.datasets,
        plan,
        collator,
        place,
        accumulation=config.training.accumulation,
        seed=config.seed,
    )
