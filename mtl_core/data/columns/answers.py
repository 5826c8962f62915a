"""The answers to a question in its context."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Int32Array
from mtl_core.data.columns.cells import Cell
from mtl_core.data.columns.ids import IdColumn
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.example import Answer, Example
from mtl_core.data.source import Source
from mtl_core.errors import DataError

_KEYS = ("text", "answer_start")
"""Keys of the answers to a question, as SQuAD has them."""


class AnswersColumn(IdColumn[NoLabels]):
    """Answers in windows of a context: (first, last token), (rows, 2); (0, 0) = not in the window.

    Rows are windows, and the tokens of the context stand as words; see `Windows`.
    """

    __slots__ = ()

    kind: ClassVar = "answers"
    holds: ClassVar = "answers to a question"
    label_type: ClassVar = NoLabels

    @classmethod
    def from_cell(cls, cell: Cell) -> tuple[Answer, ...]:
        """Returns answers as SQuAD has them: a list of objects, or an object of lists."""
        pairs, keys = _pairs(cell.value), " and ".join(_KEYS)
        if pairs is None or not all(_is_answer(text, start) for text, start in pairs):
            raise DataError(
                f"{cell.where}: expected a list of objects with {keys}, or an object with the "
                f"lists {keys}, of one length; found {str(cell.value)[:40]}"
            )
        if not cell.second:
            raise DataError(f"{cell.where}: answers need `text_pair`, the column of the contexts")
        answers = tuple(Answer(text, start) for text, start in pairs)
        # A wrong offset would train on another piece of text, and no score would show why.
        for answer in answers:
            answer.check(cell.second, cell.where)
        return answers

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> NoLabels:
        """Returns no labels: answers are places in a text."""
        self.check_labelled(splits, where)
        return NoLabels()

    def encode(
        self, examples: Sequence[Example], labels: NoLabels, source: Source | None
    ) -> Int32Array:
        """Returns first and last token of the first answer in every window, (rows, 2).

        (0, 0), the position of the first special token, where a window does not hold all of it
        (Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.3).
        """
        # Answers count characters of the context; only the windows know their tokens' characters.
        assert source is not None
        answers = [self.answers(example) for example in examples]
        return np.array(
            [
                _position(answers[number], source.char_starts.row(row), source.char_ends.row(row))
                for row, number in enumerate(source.of_row.tolist())
            ],
            dtype=np.int32,
        )

    def renumber(self, values: Int32Array, old: NoLabels, new: NoLabels) -> Int32Array:
        """Returns the places as they are."""
        return values

    def num_scored(self, values: Int32Array, source: Source | None) -> int:
        """Returns how many questions have known answers, however many windows each has."""
        assert source is not None
        return sum(answers is not None for answers in source.answers)

    def answers(self, example: Example) -> tuple[Answer, ...] | None:
        """Returns the right answers; () = there is no answer, None = they are not known."""
        return self.value(example)  # type: ignore[return-value]


def _position(
    answers: tuple[Answer, ...] | None, starts: Int32Array, ends: Int32Array
) -> tuple[int, int]:
    """Returns first and last token of the first answer in a window.

    Args:
        answers: The right answers; only the first one trains.
        starts: Where each token of the window begins in the context, (seq,); -1 = outside of it.
        ends: Where each token ends, (seq,).
    """
    if answers is None:
        return NO_LABEL, NO_LABEL
    if not answers:
        return 0, 0
    begin, end = answers[0].start, answers[0].start + len(answers[0].text)
    # Tokens that share a character with the answer: its ends may cut a token in two.
    is_inside = (starts >= 0) & (starts < end) & (ends > begin)
    tokens = np.flatnonzero(is_inside)
    # The window has to hold all of the answer, from its first letter to its last.
    if not len(tokens) or starts[tokens[0]] > begin or ends[tokens[-1]] < end:
        return 0, 0
    return int(tokens[0]), int(tokens[-1])


def _pairs(value: object) -> list[tuple[Any, Any]] | None:
    """Returns text and start of every answer as they stand; None = the value has another form."""
    if isinstance(value, Mapping):  # as on the hub
        texts, starts = value.get(_KEYS[0]), value.get(_KEYS[1])
        if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
            return list(zip(texts, starts, strict=True))
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return [(item.get(_KEYS[0]), item.get(_KEYS[1])) for item in value]  # as in its files
    return None


def _is_answer(text: object, start: object) -> bool:
    return isinstance(text, str) and isinstance(start, int) and not isinstance(start, bool)
