"""Collating: rows to batches, with words hidden where a task asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.encoded import EncodedSplit, Int64Array
from mtl_core.data.masking import Masking


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes the batches of a run.

    Attributes:
        pad_token_id: The tokenizer's padding id.
        maskings: Task name -> how it hides words, for masked language modelling.
    """

    pad_token_id: int
    maskings: Mapping[str, Masking] = field(default_factory=dict)

    def __call__(self, split: EncodedSplit, rows: Int64Array, *, seed: tuple[int, ...]) -> Batch:
        """Makes a batch.

        Args:
            split: The encoded rows.
            rows: Row numbers, (batch,).
            seed: Of what is hidden in each row: run and epoch in training, () in evaluation.
        """
        batch = make_batch(split, rows, pad_token_id=self.pad_token_id)
        for task in split.labels:
            if task in self.maskings:
                batch = self.maskings[task].apply(batch, np.asarray(rows), seed=seed)
        return batch
