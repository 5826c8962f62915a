"""Encoding: from examples to token ids and label ids in flat arrays, before anything is trained.

Words are aligned to sub-words through `word_ids`; the first sub-word stands for its word.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtl_core.data.example import Example
from mtl_core.data.readers import ColumnKind, Splits
from mtl_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

NO_LABEL = -100
"""Label id of a row that lacks the task's label; the value that `cross_entropy` passes over."""

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of different length in one flat array; row i is `values[offsets[i]:offsets[i + 1]]`."""

    values: Int32Array
    offsets: Int64Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

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


@dataclass(frozen=True, slots=True)
class EncodedSplit:
    """One split of a data set.

    Attributes:
        token_ids: Sub-word ids with the special tokens.
        word_starts: Per word, the position of its first sub-word in the row; -1 = cut off.
        labels: Task name -> label ids, shape (rows,), or tag ids per word as `Ragged`. Ids from
            the number of trained labels up stand for labels that training never shows.
    """

    token_ids: Ragged
    word_starts: Ragged
    labels: Mapping[str, Int32Array | Ragged]

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True, slots=True)
class TaskColumn:
    """Where a task finds its labels in a data set."""

    task_name: str
    column: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The labels of a task.

    Attributes:
        trained: Labels of the train split, sorted; the model can predict these.
        unseen: Labels that only dev or test hold; they follow in the numbering, count as wrong.
    """

    trained: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every label; the position is the label id."""
        return self.trained + self.unseen


def collect_labels(splits: Splits, column: TaskColumn, *, where: str) -> LabelNames:
    """Returns the labels of a task over all splits.

    Raises:
        DataError: The train or dev split holds no label for the task, or a tag is not BIO.
    """
    found = {
        split: {label for example in examples for label in _labels_of(example, column)}
        for split, examples in splits.items()
    }
    for split in ("train", "dev"):
        if not found[split]:
            raise DataError(
                f"{where}: split '{split}' holds no label of task '{column.task_name}' "
                f"(column '{column.column}')"
            )
    if column.kind == "tags":
        _check_bio(set().union(*found.values()), column, where)
    trained = found["train"] | ({"O"} if column.kind == "tags" else set())
    unseen = set().union(*found.values()) - trained
    return LabelNames(tuple(sorted(trained)), tuple(sorted(unseen)))


def encode_split(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    columns: Iterable[TaskColumn],
    labels: Mapping[str, LabelNames],
    *,
    max_length: int,
) -> EncodedSplit:
    """Encodes one split.

    Args:
        examples: The sentences; at least one.
        tokenizer: A fast tokenizer.
        columns: The tasks on this data set.
        labels: Task name -> its labels.
        max_length: Longest row, in sub-words, special tokens included.
    """
    unknown = str(tokenizer.unk_token)
    without_pieces = _words_without_pieces(examples, tokenizer)
    token_ids: list[list[int]] = []
    word_starts: list[list[int]] = []
    for start in range(0, len(examples), 1000):
        chunk = examples[start : start + 1000]
        encoded = tokenizer(
            [
                [unknown if word in without_pieces else word for word in example.words]
                for example in chunk
            ],
            is_split_into_words=True,
            truncation=True,
            max_length=max_length,
        )
        token_ids.extend(encoded["input_ids"])
        for row, example in enumerate(chunk):
            word_starts.append(_word_starts(encoded.word_ids(row), len(example.words)))
    return EncodedSplit(
        Ragged.from_rows(token_ids),
        Ragged.from_rows(word_starts),
        {column.task_name: _label_ids(examples, column, labels) for column in columns},
    )


def warn_of_cut_rows(split: EncodedSplit, *, where: str, max_length: int) -> None:
    """Logs one warning with the counts when words stand beyond what the encoder takes."""
    starts = split.word_starts
    is_cut = starts.values < 0
    if is_cut.any():
        rows = np.searchsorted(starts.offsets, np.flatnonzero(is_cut), side="right")
        logger.warning(
            "%s: %d of %d sentences lose words, cut after %d sub-words; %d of %d words are lost "
            "and count as wrong",
            where,
            len(np.unique(rows)),
            len(split),
            max_length,
            int(is_cut.sum()),
            len(is_cut),
        )


def _labels_of(example: Example, column: TaskColumn) -> tuple[str, ...]:
    value = example.labels.get(column.column, ())
    return (value,) if isinstance(value, str) else value


def _check_bio(tags: set[str], column: TaskColumn, where: str) -> None:
    wrong = sorted(tag for tag in tags if tag != "O" and tag[:2] not in ("B-", "I-"))
    if wrong:
        raise DataError(
            f"{where}: column '{column.column}' of task '{column.task_name}' holds the tag "
            f"'{wrong[0]}'; allowed are BIO tags: O, B-<type>, I-<type>"
        )


def _words_without_pieces(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast"
) -> frozenset[str]:
    """Returns the words of which the tokenizer leaves nothing.

    Tokenizers drop control characters and their like; a word made of those alone would have no
    sub-word to carry its tag, so it is read as the unknown token.
    """
    words = sorted({word for example in examples for word in example.words})
    pieces = tokenizer(words, add_special_tokens=False)["input_ids"]
    return frozenset(word for word, ids in zip(words, pieces, strict=True) if not ids)


def _word_starts(word_ids: Sequence[int | None], num_words: int) -> list[int]:
    starts = [-1] * num_words
    for position, word in enumerate(word_ids):
        if word is not None and starts[word] < 0:
            starts[word] = position
    return starts


def _label_ids(
    examples: Sequence[Example], column: TaskColumn, labels: Mapping[str, LabelNames]
) -> Int32Array | Ragged:
    ids = {label: number for number, label in enumerate(labels[column.task_name].all)}
    if column.kind == "label":
        values = (example.labels.get(column.column) for example in examples)
        return np.array(
            [NO_LABEL if value is None else ids[str(value)] for value in values], dtype=np.int32
        )
    return Ragged.from_rows(
        [
            [ids[tag] for tag in _labels_of(example, column)] or [NO_LABEL] * len(example.words)
            for example in examples
        ]
    )
