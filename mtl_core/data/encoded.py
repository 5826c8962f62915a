"""What encoding makes: splits of a data set as token ids and label ids in flat arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mtl_core.data.example import ColumnKind

if TYPE_CHECKING:
    from torch import Tensor

    from mtl_core.data.layouts.windows import Questions

NO_LABEL = -100
"""Label id of a row that lacks the task's label; the value that `cross_entropy` passes over."""

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of different length in one flat array; row i is `values[offsets[i]:offsets[i + 1]]`."""

    values: Int32Array
    offsets: Int64Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, number: int) -> Int32Array:
        """Returns one row, a view."""
        return self.values[self.offsets[number] : self.offsets[number + 1]]

    def lengths(self) -> Int64Array:
        """Returns the length of every row, shape (rows,)."""
        return np.diff(self.offsets)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        """Joins the rows."""
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        values = np.fromiter((item for row in rows for item in row), np.int32, int(offsets[-1]))
        return cls(values, offsets)


LabelArray = Int32Array | FloatArray | Ragged
"""The labels of a task, one entry a row.

`label`: ids (rows,), `NO_LABEL` = missing. `tags`: ids a word, `Ragged`. `labels`: 0 or 1 a label,
(rows, labels), `NO_LABEL` = missing. `number`: float32 (rows,), NaN = missing. `answers`: first
and last token of the answer, (rows, 2), (0, 0) = not in this window. `text`: 0, (rows,).
"""


def count_labelled(labels: LabelArray) -> int:
    """Returns the number of rows that have the task's label."""
    if isinstance(labels, Ragged):
        places = np.flatnonzero(labels.values != NO_LABEL)
        return len(np.unique(np.searchsorted(labels.offsets, places, side="right")))
    is_known = ~np.isnan(labels) & (labels != NO_LABEL)
    return int(is_known.reshape(len(labels), -1).all(axis=1).sum())


@dataclass(frozen=True, slots=True)
class FrozenStates:
    """Hidden states under the first layer that trains.

    Attributes:
        depth: Layers below; 0 = the embeddings alone, -1 = the whole encoder.
        values: One row a sub-word of the split, (sub-words, hidden), bf16, fp16 or fp32, mapped
            from a file.
    """

    depth: int
    values: "Tensor"


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """One split of a data set.

    Attributes:
        token_ids: Sub-word ids with the special tokens.
        word_starts: Per word, the position of its first sub-word in the row; -1 = cut off.
        labels: Task name -> labels. Ids from the number of trained labels up stand for labels
            that training never shows.
        word_ends: Per word, the position behind its last sub-word; -1 = cut off.
        token_types: Segment of every sub-word, for pairs; None when all are 0.
        features: Extra dense numbers a row, (rows, features); None when there are none.
        questions: What the windows of a question-answering data set come from.
        frozen: What frozen layers make of every sub-word; None when they are to be computed.
    """

    token_ids: Ragged
    word_starts: Ragged
    labels: Mapping[str, LabelArray]
    word_ends: Ragged | None = None
    token_types: Ragged | None = None
    features: FloatArray | None = None
    questions: "Questions | None" = None
    frozen: "FrozenStates | None" = None

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True, slots=True)
class TaskColumn:
    """Where a task finds its labels in a data set, and what shapes their encoding.

    Attributes:
        task_name: The task's key in the study file.
        column: The column; "" for tasks on the text itself.
        kind: What the column holds; `text` = nothing, the text is its own label.
        is_bio: Whether tags have to be BIO.
        length: `answers`: tokens that neighbouring windows share; `text`: tokens a chunk.
    """

    task_name: str
    column: str
    kind: ColumnKind | Literal["text"]
    is_bio: bool = False
    length: int = 0


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The labels of a task.

    Attributes:
        trained: Labels of the train split, sorted; the model can predict these.
        unseen: Labels that only dev or test hold; they follow in the numbering, count as wrong.
        counts: How often each trained label stands in the train split; of a `number` column, which
            has no labels, its rows alone: (rows,).
        mean: Mean of a `number` column over the train split.
        deviation: Its standard deviation.
    """

    trained: tuple[str, ...]
    unseen: tuple[str, ...]
    counts: tuple[int, ...] = ()
    mean: float = 0.0
    deviation: float = 0.0

    @property
    def all(self) -> tuple[str, ...]:
        """Every label; the position is the label id."""
        return self.trained + self.unseen
