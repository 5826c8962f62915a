"""The column of masked language modelling, which is none: running text is its own label."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mtl_core.data.arrays import Int32Array
from mtl_core.data.columns.ids import IdColumn
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.example import Example
from mtl_core.data.source import Source


class TextColumn(IdColumn[NoLabels]):
    """The text itself: 0 for every row, (rows,), until the task makes the labels of a batch."""

    __slots__ = ()

    kind: ClassVar = "text"
    holds: ClassVar = "the text itself"
    label_type: ClassVar = NoLabels
    is_read: ClassVar = False

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> NoLabels:
        """Returns no labels."""
        return NoLabels()

    def encode(
        self, examples: Sequence[Example], labels: NoLabels, source: Source | None
    ) -> Int32Array:
        """Returns 0 for every row: none is missing, so each trains."""
        return np.zeros(len(examples), dtype=np.int32)

    def renumber(self, values: Int32Array, old: NoLabels, new: NoLabels) -> Int32Array:
        """Returns the rows as they are."""
        return values
