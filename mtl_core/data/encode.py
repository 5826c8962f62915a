"""Encoding: from examples to token ids and label ids in flat arrays, before anything is trained.

Words are aligned to sub-words through `word_ids`. A data set has one of three layouts, told by its
tasks: sentences (and pairs), windows over the contexts of questions (`windows.py`), or chunks of
running text (`pack_words`).
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mtl_core.data.example import ColumnKind, Example
from mtl_core.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

    from mtl_core.data.windows import Questions

logger = logging.getLogger(__name__)

NO_LABEL = -100
"""Label id of a row that lacks the task's label; the value that `cross_entropy` passes over."""

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
_CHUNK = 1000
"""Rows a call of the tokenizer: it works on many at once, and needs memory for all of them."""


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


@dataclass(frozen=True, slots=True)
class FrozenStates:
    """Hidden states under the first layer that trains.

    Attributes:
        depth: Layers below; 0 = the embeddings alone, -1 = the whole encoder.
        values: One row a sub-word of the split, (sub-words, hidden), bf16 or fp32, mapped from a
            file.
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
        counts: How often each trained label stands in the train split.
        mean: Mean of a `number` column over the train split.
        deviation: Its standard deviation; 1 when all are equal.
    """

    trained: tuple[str, ...]
    unseen: tuple[str, ...]
    counts: tuple[int, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def all(self) -> tuple[str, ...]:
        """Every label; the position is the label id."""
        return self.trained + self.unseen


def collect_labels(
    splits: Mapping[str, Sequence[Example]], column: TaskColumn, *, where: str
) -> LabelNames:
    """Returns the labels of a task over all splits.

    Raises:
        DataError: The train or dev split holds no label for the task, or a tag is not BIO.
    """
    if column.kind == "text":
        return LabelNames((), ())
    for split in ("train", "dev"):
        if not any(column.column in example.labels for example in splits[split]):
            raise DataError(
                f"{where}: split '{split}' holds no label of task '{column.task_name}' "
                f"(column '{column.column}')"
            )
    if column.kind == "answers":
        return LabelNames((), ())
    if column.kind == "number":
        numbers = [example.labels.get(column.column) for example in splits["train"]]
        known = np.array([number for number in numbers if number is not None], dtype=np.float64)
        return LabelNames((), (), (len(known),), float(known.mean()), float(known.std()) or 1.0)
    found = {
        split: Counter(label for example in examples for label in _labels_of(example, column))
        for split, examples in splits.items()
    }
    every = set().union(*found.values())
    if column.is_bio:
        _check_bio(every, column, where)
    trained = sorted(set(found["train"]) | ({"O"} if column.is_bio else set()))
    counts = tuple(found["train"][label] for label in trained)
    return LabelNames(tuple(trained), tuple(sorted(every - set(trained))), counts)


def encode_split(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    columns: Iterable[TaskColumn],
    labels: Mapping[str, LabelNames],
    *,
    max_length: int,
) -> EncodedSplit:
    """Encodes one split of sentences or pairs.

    Args:
        examples: The sentences; at least one.
        tokenizer: A fast tokenizer.
        columns: The tasks on this data set.
        labels: Task name -> its labels.
        max_length: Longest row, in sub-words, special tokens included.
    """
    unknown = str(tokenizer.unk_token)
    pieces = count_pieces(examples, tokenizer)
    rows: dict[str, list[list[int]]] = {"ids": [], "starts": [], "ends": [], "types": []}
    has_pairs = any(example.second for example in examples)
    for start in range(0, len(examples), _CHUNK):
        chunk = examples[start : start + _CHUNK]
        # A tokenizer drops control characters and their like; a word made of those alone would
        # have no sub-word to carry its tag, so it is read as the unknown token.
        first = [[word if pieces[word] else unknown for word in one.words] for one in chunk]
        second = [one.second.split() or [unknown] for one in chunk] if has_pairs else None
        encoded = tokenizer(
            first,
            second,
            is_split_into_words=True,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=has_pairs,
        )
        rows["ids"].extend(encoded["input_ids"])
        if has_pairs:
            rows["types"].extend(encoded["token_type_ids"])
        for row, example in enumerate(chunk):
            starts, ends = _word_borders(encoded[row], len(example.words))
            rows["starts"].append(starts)
            rows["ends"].append(ends)
    return EncodedSplit(
        Ragged.from_rows(rows["ids"]),
        Ragged.from_rows(rows["starts"]),
        {column.task_name: _label_array(examples, column, labels) for column in columns},
        Ragged.from_rows(rows["ends"]),
        Ragged.from_rows(rows["types"]) if has_pairs else None,
        _features(examples),
    )


def pack_words(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast", *, length: int
) -> list[Example]:
    """Joins running text into examples of at most `length` sub-words, special tokens included.

    Words stay whole; a word longer than that has an example of its own, which is cut later.
    """
    pieces = count_pieces(examples, tokenizer)
    room = length - tokenizer.num_special_tokens_to_add()
    packed: list[Example] = []
    words: list[str] = []
    used = 0
    for word in (word for example in examples for word in example.words):
        size = max(1, pieces[word])
        if words and used + size > room:
            packed.append(Example(tuple(words)))
            words, used = [], 0
        words.append(word)
        used += size
    return [*packed, Example(tuple(words))]


def count_pieces(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast"
) -> dict[str, int]:
    """Returns word -> number of its sub-words."""
    words = sorted({word for example in examples for word in example.words})
    if not words:
        return {}
    encoded = tokenizer([[word] for word in words], add_special_tokens=False,
                        is_split_into_words=True)  # fmt: skip
    return {word: len(ids) for word, ids in zip(words, encoded["input_ids"], strict=True)}


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


def _labels_of(example: Example, column: TaskColumn) -> Sequence[str]:
    value = example.labels.get(column.column, ())
    return (value,) if isinstance(value, str) else value  # type: ignore[return-value]


def _check_bio(tags: set[str], column: TaskColumn, where: str) -> None:
    wrong = sorted(tag for tag in tags if tag != "O" and tag[:2] not in ("B-", "I-"))
    if wrong:
        raise DataError(
            f"{where}: column '{column.column}' of task '{column.task_name}' holds the tag "
            f"'{wrong[0]}'; allowed are BIO tags: O, B-<type>, I-<type> "
            "(or set the task's scheme: plain)"
        )


def _word_borders(encoding: object, num_words: int) -> tuple[list[int], list[int]]:
    """Returns first and last-but-one positions of the words of the first sequence."""
    starts, ends = [-1] * num_words, [-1] * num_words
    pairs = zip(encoding.word_ids, encoding.sequence_ids, strict=True)  # type: ignore[attr-defined]
    for position, (word, sequence) in enumerate(pairs):
        if sequence == 0 and word is not None:
            starts[word] = position if starts[word] < 0 else starts[word]
            ends[word] = position + 1
    return starts, ends


def _features(examples: Sequence[Example]) -> FloatArray | None:
    if not examples[0].features:
        return None
    return np.array([example.features for example in examples], dtype=np.float32)


def _label_array(
    examples: Sequence[Example], column: TaskColumn, labels: Mapping[str, LabelNames]
) -> LabelArray:
    if column.kind == "text":
        return np.zeros(len(examples), dtype=np.int32)
    ids = {label: number for number, label in enumerate(labels[column.task_name].all)}
    values = [example.labels.get(column.column) for example in examples]
    if column.kind == "number":
        return np.array([np.nan if value is None else value for value in values], dtype=np.float32)
    if column.kind == "label":
        return np.array(
            [NO_LABEL if value is None else ids[str(value)] for value in values], dtype=np.int32
        )
    rows = [[ids[label] for label in _labels_of(example, column)] for example in examples]
    if column.kind == "labels":
        return _indicators(rows, [value is not None for value in values], len(ids))
    return Ragged.from_rows(
        [
            row or [NO_LABEL] * len(example.words)
            for row, example in zip(rows, examples, strict=True)
        ]
    )


def _indicators(rows: Sequence[Sequence[int]], is_known: Sequence[bool], width: int) -> Int32Array:
    array = np.zeros((len(rows), width), dtype=np.int32)
    for number, (row, known) in enumerate(zip(rows, is_known, strict=True)):
        array[number, row] = 1
        if not known:
            array[number] = NO_LABEL
    return array
