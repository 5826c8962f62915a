"""What columns of ids share whose rows all have one width: labels, sets of labels, answers."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import NO_LABEL, BoolArray, Int32Array, Int64Array, Ragged
from mtl_core.data.columns.base import Column, Gold
from mtl_core.data.columns.label_names import Labels

NamesT = TypeVar("NamesT", bound=Labels)


class IdColumn(Column[NamesT, Int32Array]):
    """Base: arrays of ids (rows,) or (rows, width), `NO_LABEL` in the whole row = missing."""

    __slots__ = ()

    def pad(self, values: Int32Array, rows: Int64Array, is_word: BoolArray) -> Int64Array:
        """Returns the ids of a batch, (batch,) or (batch, width)."""
        return values[rows].astype(np.int64)  # torch asks for int64 class ids

    def missing(self, labels: Tensor) -> Tensor:
        """Returns `NO_LABEL` everywhere."""
        return torch.full_like(labels, NO_LABEL)

    def count(self, values: Int32Array, word_starts: Ragged) -> Int64Array:
        """Returns 1 for every row that has labels, else 0, (rows,)."""
        # A row is missing as a whole, so that its first column tells.
        first = values if values.ndim == 1 else values[:, 0]
        return np.asarray(first != NO_LABEL, dtype=np.int64)

    def num_labelled(self, values: Int32Array) -> int:
        """Returns the number of rows that have labels."""
        return int((values != NO_LABEL).reshape(len(values), -1).all(axis=1).sum())

    def gold(self, values: Int32Array) -> list[Gold]:
        """Returns the ids of every row, (1,) or (width,), int64."""
        rows = values.reshape(len(values), -1)  # (rows,) -> (rows, 1); (rows, width) as it is
        return [np.array(row[row != NO_LABEL], dtype=np.int64) for row in rows]


def look_up(ids: Int32Array, old: Labels, new: Labels) -> Int32Array:
    """Returns ids by the numbering of `new`; negative ones stay as they are."""
    lookup = new_ids(old, new)
    # Clamped for the lookup alone: `NO_LABEL` would count from its end.
    return np.where(ids >= 0, lookup[np.maximum(ids, 0)], ids)


def new_ids(old: Labels, new: Labels) -> Int32Array:
    """Returns the id in `new` of every label of `old`, (labels,)."""
    return np.array([new.all.index(label) for label in old.all], np.int32)
