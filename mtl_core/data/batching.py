"""Batching: which rows stand together, by length, and their padding to tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mtl_core.data.arrays import BoolArray, Int64Array
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.encoded import EncodedSplit, FrozenStates

_SORTED_BATCHES = 50
"""Rows of this many batches are sorted by length together: nearly no padding, still random."""


@dataclass(frozen=True, slots=True)
class WordPlaces:
    """Where the words of a batch stand.

    Attributes:
        starts: Position of each word's first sub-word, (batch, words), int64; 0 for padding and
            for words that were cut off.
        ends: Position behind each word's last sub-word, the same shape; 0 likewise.
        is_there: Where there is a word that was not cut off, (batch, words), bool.
        counts: Words of each row, those that were cut off included, (batch,), int64.
    """

    starts: Tensor
    ends: Tensor
    is_there: Tensor
    counts: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one data set.

    Attributes:
        token_ids: Sub-word ids, (batch, seq), int64.
        attention_mask: 1 for sub-words, 0 for padding, (batch, seq), int64.
        words: Where the words stand.
        labels: Task name -> labels, as the task's column pads them.
        token_types: Segment of each sub-word, (batch, seq), int64; None when all are 0.
        features: Extra dense numbers, (batch, features), float32; None when there are none.
        frozen: Hidden states of the first layer that trains, (batch, seq, hidden), 0 for padding;
            None when they are to be computed.
    """

    token_ids: Tensor
    attention_mask: Tensor
    words: WordPlaces
    labels: Mapping[str, Tensor]
    token_types: Tensor | None = None
    features: Tensor | None = None
    frozen: FrozenStates | None = None

    def to(self, device: torch.device) -> "Batch":
        """Returns the batch on a device; the copy may go on while the host does other work."""
        if device.type == "cpu":
            return self
        # Records inside the record: `_moved` sees only tensors that are fields themselves.
        labels = {task: ids.to(device, non_blocking=True) for task, ids in self.labels.items()}
        words = replace(self.words, **_moved(self.words, device))
        frozen = self.frozen and replace(self.frozen, **_moved(self.frozen, device))
        moved = _moved(self, device)
        return replace(self, **moved, labels=labels, words=words, frozen=frozen)

    def without_labels(self, columns: Mapping[str, AnyColumn]) -> "Batch":
        """Returns the batch without labels, so without loss.

        A worker whose share of a small batch is empty takes it: all workers have to make the same
        passes, since they wait for each other's gradients.
        """
        missing = {task: columns[task].missing(labels) for task, labels in self.labels.items()}
        return replace(self, labels=missing)


def similar_length_batches(
    lengths: Int64Array, *, batch_size: int, generator: np.random.Generator
) -> list[Int64Array]:
    """Cuts the rows of a split into batches of similar length, in random order.

    Args:
        lengths: Length of every row, (rows,).
        batch_size: Rows per batch; the last one may be smaller.
        generator: Source of the order.

    Returns:
        Row numbers of each batch; every row stands in exactly one.
    """
    # Shuffled, sorted within windows, and shuffled again as batches: the order of the draws counts.
    order = generator.permutation(len(lengths))
    window = batch_size * _SORTED_BATCHES
    batches: list[Int64Array] = []
    for start in range(0, len(order), window):
        rows = order[start : start + window]
        # Stable: rows of one length stay in the order that was drawn, on every machine.
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches.extend(
            rows[first : first + batch_size] for first in range(0, len(rows), batch_size)
        )
    return [batches[number] for number in generator.permutation(len(batches))]


def make_batch(split: EncodedSplit, rows: npt.ArrayLike, *, pad_token_id: int) -> Batch:
    """Makes a batch of rows, padded to the longest of them.

    Args:
        split: The encoded rows.
        rows: Row numbers, (batch,).
        pad_token_id: The tokenizer's padding id.
    """
    numbers = np.asarray(rows, dtype=np.int64)
    token_ids, lengths = split.token_ids.padded(numbers, pad_token_id)
    mask = np.arange(token_ids.shape[1]) < lengths[:, None]  # (batch, seq)
    word_starts, num_words = split.word_starts.padded(numbers, -1)
    # -1 stands for padding and for words that were cut off; `num_words` tells them apart.
    is_word = word_starts >= 0  # (batch, words)
    # Without ends every word is one sub-word, as the tokens of a context are.
    ends = split.word_ends
    word_ends = word_starts + 1 if ends is None else ends.padded(numbers, -1)[0]
    labels = {
        task: torch.from_numpy(column.pad(split.labels[task], numbers, is_word))
        for task, column in split.labels.columns.items()
    }
    types = split.token_types
    return Batch(
        torch.from_numpy(token_ids),
        torch.from_numpy(mask.astype(np.int64)),
        WordPlaces(
            # 0 where there is no word: a position that can be gathered, and is then masked.
            torch.from_numpy(np.maximum(word_starts, 0)),
            torch.from_numpy(np.where(is_word, word_ends, 0)),
            torch.from_numpy(is_word),
            torch.from_numpy(num_words),
        ),
        labels,
        None if types is None else torch.from_numpy(types.padded(numbers, 0)[0]),
        None if split.features is None else torch.from_numpy(split.features[numbers]),
        _frozen_states(split, numbers, mask),
    )


def rows_by_length(split: EncodedSplit, *, batch_size: int) -> list[Int64Array]:
    """Returns batches for evaluation: all rows, sorted by length, no randomness."""
    # Stable, so that every evaluation has the same batches: sums in low precision depend on them.
    order = np.argsort(split.token_ids.lengths(), kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _moved(value: Any, device: torch.device) -> dict[str, Any]:
    """Returns the tensors among the fields of a record on a device, by name."""
    return {
        field.name: found.to(device, non_blocking=True)
        for field in fields(value)
        if isinstance(found := getattr(value, field.name), Tensor)
    }


def _frozen_states(split: EncodedSplit, rows: Int64Array, mask: BoolArray) -> FrozenStates | None:
    """Returns the rows' hidden states (batch, seq, hidden), when they are known."""
    if split.frozen is None:
        return None
    # (sub-words of the split, hidden) -> (batch, seq, hidden), read where the rows stand.
    values = split.frozen.values
    starts = split.token_ids.offsets[rows]
    source = torch.from_numpy((starts[:, None] + np.arange(mask.shape[1]))[mask])
    states = values.new_zeros(*mask.shape, values.shape[1])
    states[torch.from_numpy(mask)] = values.index_select(0, source)
    return replace(split.frozen, values=states)
