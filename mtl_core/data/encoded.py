"""What encoding makes: splits of a data set as token ids and label ids in flat arrays."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.data.arrays import FloatArray, Int64Array, LabelArray, Ragged, take_rows
from mtl_core.data.columns.base import AnyColumn, Gold
from mtl_core.data.source import Source

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class FrozenStates:
    """Hidden states under the first layer that trains.

    Attributes:
        depth: Layers below; 0 = the embeddings alone, -1 = the whole encoder.
        values: bf16, fp16 or fp32; of a split one row per sub-word, (sub-words, hidden), mapped
            from a file; of a batch (batch, seq, hidden).
    """

    depth: int
    values: "Tensor"

    def take(self, sub_words: Int64Array) -> "FrozenStates":
        """Returns the states of some sub-words of a split, copied; their numbers are (n,)."""
        # Torch's own indexing: numpy has no bf16.
        return FrozenStates(self.depth, self.values[sub_words])


class TaskLabels(Mapping[str, LabelArray]):
    """The labels of the tasks on a split: task name -> array.

    Label ids at or above the number of trained labels stand for labels that training never shows.

    Attributes:
        columns: Task name -> its column, which knows how the array is read.
    """

    # Arrays are cached without their columns, which every run makes anew from its settings.
    def __init__(self, labels: Iterable[tuple[AnyColumn, LabelArray]]) -> None:
        self.columns: dict[str, AnyColumn] = {}
        self._arrays: dict[str, LabelArray] = {}
        for column, array in labels:
            self.columns[column.task_name] = column
            self._arrays[column.task_name] = array

    def __getitem__(self, task: str) -> LabelArray:
        return self._arrays[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """One split of a data set.

    Attributes:
        token_ids: Sub-word ids with the special tokens.
        word_starts: Per word, the position of its first sub-word in the row; -1 = cut off,
            `NOWHERE` = a span that ends inside a word.
        labels: Task name -> labels, and the columns that they come from.
        word_ends: Per word, the position behind its last sub-word; -1 = cut off.
        token_types: Segment of every sub-word, for pairs; None when all are 0.
        features: Extra dense numbers per row, (rows, features); None when there are none.
        source: What the rows are pieces of; None when each is an example.
        frozen: What frozen layers make of every sub-word; None when they are to be computed.
    """

    token_ids: Ragged
    word_starts: Ragged
    labels: TaskLabels
    word_ends: Ragged | None = None
    token_types: Ragged | None = None
    features: FloatArray | None = None
    source: Source | None = None
    frozen: FrozenStates | None = None

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def num_examples(self) -> int:
        """How many texts the rows are, or are pieces of."""
        return len(self) if self.source is None else len(self.source)

    def take(self, examples: Int64Array) -> "EncodedSplit":
        """Returns the rows of some examples, copied.

        Args:
            examples: Their numbers, (n,), rising: of rows, or of the texts that rows are pieces of.
        """
        source = self.source
        rows = examples if source is None else np.flatnonzero(np.isin(source.of_row, examples))
        columns = self.labels.columns
        return EncodedSplit(
            self.token_ids.take(rows),
            self.word_starts.take(rows),
            TaskLabels((columns[task], take_rows(self.labels[task], rows)) for task in columns),
            word_ends=self.word_ends and self.word_ends.take(rows),
            token_types=self.token_types and self.token_types.take(rows),
            features=self.features[rows] if self.features is not None else None,
            source=source and source.take(examples),
            frozen=self.frozen and self.frozen.take(self.token_ids.places(rows)),
        )

    def gold(self, task: str) -> list[Gold]:
        """Returns the labels of every row, an empty array where there are none."""
        return self.labels.columns[task].gold(self.labels[task])

    def num_labelled(self, task: str) -> int:
        """Returns the number of rows that have the task's label."""
        return self.labels.columns[task].num_labelled(self.labels[task])

    def num_scored(self, task: str) -> int:
        """Returns how many things the task is scored on: labelled rows, or questions."""
        return self.labels.columns[task].num_scored(self.labels[task], self.source)
