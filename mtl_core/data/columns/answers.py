"""The answers to a question in its context."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Int32Array
from mtl_core.data.columns.cells import Cell
from mtl_core.data.columns.ids import IdColumn
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.example import Answer, Example
from mtl_core.data.source import Source
from mtl_core.errors import DataError

_LISTS = ("text", "answer_start")
"""Keys of the answers to a question, as SQuAD has them on the hub."""


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
        """Returns answers in the layout that SQuAD has on the hub: lists of texts and starts."""
        value = cell.value
        lists = [value.get(key) if isinstance(value, Mapping) else None for key in _LISTS]
        texts, starts = (items if isinstance(items, list) else [None] for items in lists)
        if len(texts) != len(starts) or None in (*texts, *starts):
            raise DataError(
                f"{cell.where}: expected an object with the lists {' and '.join(_LISTS)}, of one "
                f"length; found {str(value)[:40]}"
            )
        if not cell.second:
            raise DataError(f"{cell.where}: answers need `text_pair`, the column of the contexts")
        pairs = zip(texts, starts, strict=True)
        answers = tuple(Answer(str(text), int(start)) for text, start in pairs)
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
