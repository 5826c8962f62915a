"""Encoding: from examples to token ids and label ids in flat arrays, before anything is trained.

Words are aligned to sub-words through `word_ids`. A data set has one of three layouts, told by its
tasks: sentences (and pairs), windows over the contexts of questions (`windows.py`), or chunks of
running text (`pack_words`).
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.data.encoded import (
    NO_LABEL,
    EncodedSplit,
    FloatArray,
    Int32Array,
    LabelArray,
    LabelNames,
    Ragged,
    TaskColumn,
)
from mtl_core.data.example import Example
from mtl_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

_CHUNK = 1000
"""Rows a call of the tokenizer: it works on many at once, and needs memory for all of them."""
_BIO = re.compile(r"[BI]-[^-](.*[^-])?", re.DOTALL)
"""Tags of spans; seqeval drops hyphens at the ends of a type, so that B--A would be B-A."""


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
        return LabelNames((), (), (len(known),), float(known.mean()), float(known.std()))
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
        examples: The sentences; at least one. All have a second part, or none has.
        tokenizer: A fast tokenizer.
        columns: The tasks on this data set.
        labels: Task name -> its labels.
        max_length: Longest row, in sub-words, special tokens included.
    """
    unknown = str(tokenizer.unk_token)
    pieces = count_pieces(examples, tokenizer)
    rows: dict[str, list[list[int]]] = {"ids": [], "starts": [], "ends": [], "types": []}
    has_pairs = bool(examples[0].second)
    for start in range(0, len(examples), _CHUNK):
        chunk = examples[start : start + _CHUNK]
        # A tokenizer drops control characters and their like; a word made of those alone would
        # have no sub-word to carry its tag, so it is read as the unknown token.
        first = [[word if pieces[word] else unknown for word in one.words] for one in chunk]
        second = [one.second.split() for one in chunk] if has_pairs else None
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
            "%s: %d of %d sentences lose words, cut after %d sub-words; %d of %d words are not "
            "read, and tags on them count as wrong",
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
    wrong = sorted(tag for tag in tags if tag != "O" and not _BIO.fullmatch(tag))
    if wrong:
        raise DataError(
            f"{where}: column '{column.column}' of task '{column.task_name}' holds the tag "
            f"'{wrong[0]}'; allowed are BIO tags: O, B-<type>, I-<type>, where a type neither "
            "begins nor ends with '-' (or set the task's scheme: plain)"
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
    # One column where all sets are empty: another data set may have labels for the task.
    array = np.zeros((len(rows), max(width, 1)), dtype=np.int32)
    for number, (row, known) in enumerate(zip(rows, is_known, strict=True)):
        array[number, row] = 1
        if not known:
            array[number] = NO_LABEL
    return array
