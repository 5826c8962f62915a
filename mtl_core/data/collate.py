"""Collating: rows to batches, changed where a task asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.word_dropout import WordDropout

BATCH_SIZE = 128
"""Texts per batch where nothing trains: no gradients are kept, so more fit than in training."""


class BatchChange(Protocol):
    """A task's change to every batch that it takes part in, such as masked words."""

    def __call__(self, batch: Batch, rows: Int64Array, *, seed: tuple[int, ...]) -> Batch:
        """Returns the changed batch.

        It must depend on nothing but the seed and the row numbers, (batch,): then it is the same
        however many workers share the batch, and when a run is resumed.
        """


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes the batches of a run.

    Attributes:
        pad_token_id: The tokenizer's padding id.
        changes: Task name -> what it makes of its batches, for tasks that change them.
        batch_size: Rows per batch of an evaluation.
        word_dropout: Hides words in training, where no task changes the batch; None = none are.
    """

    pad_token_id: int
    changes: Mapping[str, BatchChange] = field(default_factory=dict)
    batch_size: int = BATCH_SIZE
    word_dropout: WordDropout | None = None

    @property
    def added_ids(self) -> list[int]:
        """The ids that batches of training may hold besides those of their rows."""
        return [self.pad_token_id, *([self.word_dropout.mask_id] if self.word_dropout else [])]

    def __call__(self, split: EncodedSplit, rows: Int64Array, *, seed: tuple[int, ...]) -> Batch:
        """Makes a batch.

        Args:
            split: The encoded rows.
            rows: Row numbers, (batch,).
            seed: Seed of what tasks change: (run, epoch) in training, () in evaluation.
        """
        batch = make_batch(split, rows, pad_token_id=self.pad_token_id)
        changing = [task for task in split.labels if task in self.changes]
        # In the order of the tasks; what one task changes, the next one sees.
        for task in changing:
            batch = self.changes[task](batch, np.asarray(rows), seed=seed)
        if self.word_dropout is not None and seed and not changing:
            batch = self.word_dropout(batch, np.asarray(rows), seed=seed)
        return batch
