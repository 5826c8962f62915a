"""Windows: the contexts of questions, cut into overlapping pieces that the encoder takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtl_core.data.encoded import NO_LABEL, EncodedSplit, Int32Array, Ragged, TaskColumn
from mtl_core.data.example import Answer, Example
from mtl_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CONTEXT = 1
"""Which of the two sequences the context is."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What the rows (windows) of a split come from.

    Attributes:
        of_row: Number of the question that a window belongs to, (rows,); rising.
        char_starts: Per token, where it begins in the context; -1 outside the context.
        char_ends: Per token, where it ends in the context; -1 outside the context.
        contexts: The context of each question.
        answers: Texts of the right answers of each question; empty = it has no answer, None = it
            is not known.
    """

    of_row: Int32Array
    char_starts: Ragged
    char_ends: Ragged
    contexts: Sequence[str]
    answers: Sequence[Sequence[str] | None]

    def __len__(self) -> int:
        return len(self.contexts)


def encode_windows(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    columns: Sequence[TaskColumn],
    *,
    max_length: int,
) -> EncodedSplit:
    """Encodes questions with their contexts, one row a window.

    A window holds the whole question and a piece of the context; neighbouring windows share
    `TaskColumn.length` tokens. The label is the first and last token of the first answer when the
    window holds all of it, else (0, 0), the position of the first special token (Devlin et al.
    2019, https://arxiv.org/abs/1810.04805, section 4.3). The tokens of the context stand as words.

    Args:
        examples: The questions (`words`) and contexts (`second`).
        tokenizer: A fast tokenizer.
        columns: The question-answering tasks on the data set.
        max_length: Longest row, in sub-words, special tokens included.

    Raises:
        DataError: A question leaves no room for the context.
    """
    overlap = max((column.length for column in columns), default=0)
    windows = [
        (number, window)
        for number, example in enumerate(examples)
        for window in _cut(example, tokenizer, max_length=max_length, overlap=overlap)
    ]
    starts = Ragged.from_rows([window.starts for _, window in windows])
    ends = Ragged.from_rows([window.ends for _, window in windows])
    answers = [_answers(example, columns) for example in examples]
    questions = Questions(
        np.array([number for number, _ in windows], dtype=np.int32),
        starts,
        ends,
        [example.second for example in examples],
        [None if found is None else tuple(answer.text for answer in found) for found in answers],
    )
    label = np.array(
        [_position(answers[number], starts.row(row), ends.row(row))
         for row, (number, _) in enumerate(windows)], dtype=np.int32,
    )  # fmt: skip
    return EncodedSplit(
        Ragged.from_rows([window.ids for _, window in windows]),
        Ragged.from_rows(
            [np.flatnonzero(starts.row(row) >= 0).tolist() for row in range(len(windows))]
        ),
        {column.task_name: label for column in columns},
        token_types=Ragged.from_rows([window.types for _, window in windows]),
        questions=questions,
    )


def has_room(
    example: Example, tokenizer: "PreTrainedTokenizerFast", *, max_length: int, overlap: int
) -> bool:
    """Returns whether a question leaves room for pieces of its context that share tokens."""
    question = tokenizer(" ".join(example.words), add_special_tokens=False)["input_ids"]
    special = tokenizer.num_special_tokens_to_add(pair=True)
    return bool(max_length - len(question) - special > overlap)


@dataclass(frozen=True, slots=True)
class _Window:
    """A window's tokens and their segments; where they begin and end in the context, else -1."""

    ids: list[int]
    types: list[int]
    starts: list[int]
    ends: list[int]


def _cut(
    example: Example, tokenizer: "PreTrainedTokenizerFast", *, max_length: int, overlap: int
) -> Iterator[_Window]:
    """Yields the windows of a question."""
    question = " ".join(example.words)
    if not has_room(example, tokenizer, max_length=max_length, overlap=overlap):
        raise DataError(
            f"question '{question[:60]}': too long for windows of {max_length} tokens that "
            f"share {overlap}; raise run.encoder.max_length or lower the task's overlap"
        )
    encoded = tokenizer(
        question,
        example.second,
        truncation="only_second",
        max_length=max_length,
        stride=overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_token_type_ids=True,
    )
    for window, ids in enumerate(encoded["input_ids"]):
        inside = [sequence == _CONTEXT for sequence in encoded[window].sequence_ids]
        offsets = list(zip(encoded["offset_mapping"][window], inside, strict=True))
        yield _Window(
            ids,
            encoded["token_type_ids"][window],
            [_first_letter(example.second, *span) if is_in else -1 for span, is_in in offsets],
            [end if is_in else -1 for (_, end), is_in in offsets],
        )


def _first_letter(text: str, start: int, end: int) -> int:
    """Returns where a token begins; for some tokenizers the space in front of a word is in it."""
    while start < end and text[start].isspace():
        start += 1
    return start


def _answers(example: Example, columns: Sequence[TaskColumn]) -> tuple[Answer, ...] | None:
    if not columns:
        return None
    return example.labels.get(columns[0].column)  # type: ignore[return-value]


def _position(
    answers: tuple[Answer, ...] | None, starts: Int32Array, ends: Int32Array
) -> tuple[int, int]:
    """Returns first and last token of the first answer in a window."""
    if answers is None:
        return NO_LABEL, NO_LABEL
    if not answers:
        return 0, 0
    begin, end = answers[0].start, answers[0].start + len(answers[0].text)
    is_inside = (starts >= 0) & (starts < end) & (ends > begin)
    tokens = np.flatnonzero(is_inside)
    if not len(tokens) or starts[tokens[0]] > begin or ends[tokens[-1]] < end:
        return 0, 0
    return int(tokens[0]), int(tokens[-1])
