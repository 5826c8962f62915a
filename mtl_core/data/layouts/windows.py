"""Windows: the contexts of questions, cut into overlapping pieces that the encoder takes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mtl_core.data.arrays import Ragged
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.example import Answer, Example
from mtl_core.data.layouts.base import Layout
from mtl_core.data.source import Source
from mtl_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CONTEXT = 1
"""Which of the two sequences the context is."""


@dataclass(frozen=True, slots=True)
class Windows(Layout):
    """Questions (`words`) with their contexts (`second`), one row per window.

    A window holds the whole question and a piece of the context. The tokens of the context stand
    as words.

    Attributes:
        overlap: Tokens that neighbouring windows share.
    """

    overlap: int

    rows: ClassVar = "windows of contexts"
    is_shared: ClassVar = False

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        columns: Sequence[AnyColumn],
        labels: Mapping[str, Labels],
        *,
        max_length: int,
    ) -> EncodedSplit:
        """Encodes the windows; see `Layout.encode`.

        Raises:
            DataError: A question leaves no room for the context.
        """
        windows = [
            (number, window)
            for number, example in enumerate(examples)
            for window in self._cut(example, tokenizer, max_length=max_length)
        ]
        # The columns need the source, so it is made before their labels.
        starts = Ragged.from_rows([window.starts for _, window in windows])
        source = Source(
            np.array([number for number, _ in windows], dtype=np.int32),
            starts,
            Ragged.from_rows([window.ends for _, window in windows]),
            [example.second for example in examples],
            [_answers(example, columns) for example in examples],
        )
        return EncodedSplit(
            Ragged.from_rows([window.ids for _, window in windows]),
            Ragged.from_rows(
                # Positions of the context's tokens: the words of this layout.
                [np.flatnonzero(starts.row(row) >= 0).tolist() for row in range(len(windows))]
            ),
            TaskLabels((c, c.encode(examples, labels[c.task_name], source)) for c in columns),
            token_types=Ragged.from_rows([window.types for _, window in windows]),
            source=source,
        )

    def fits(
        self, example: Example, tokenizer: "PreTrainedTokenizerFast", *, max_length: int
    ) -> bool:
        """Returns whether a question leaves room for pieces of its context that share tokens."""
        # Each window has to go on by a token at least; tokenizers refuse any other stride.
        question = tokenizer(" ".join(example.words), add_special_tokens=False)["input_ids"]
        special = tokenizer.num_special_tokens_to_add(pair=True)
        return bool(max_length - len(question) - special > self.overlap)

    def _cut(
        self, example: Example, tokenizer: "PreTrainedTokenizerFast", *, max_length: int
    ) -> Iterator["_Window"]:
        """Yields the windows of a question."""
        # As text and not as words: answers count the characters of the context as it stands.
        question = " ".join(example.words)
        if not self.fits(example, tokenizer, max_length=max_length):
            raise DataError(
                f"question '{question[:60]}': too long for windows of {max_length} tokens that "
                f"share {self.overlap}; raise run.encoder.max_length or lower the task's overlap"
            )
        encoded = tokenizer(
            question,
            example.second,
            truncation="only_second",  # the question stays whole in every window
            max_length=max_length,
            stride=self.overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_token_type_ids=True,
        )
        for window, ids in enumerate(encoded["input_ids"]):
            # Tokens of the question and special tokens have offsets, too; they are no context.
            inside = [sequence == _CONTEXT for sequence in encoded[window].sequence_ids]
            offsets = list(zip(encoded["offset_mapping"][window], inside, strict=True))
            yield _Window(
                ids,
                encoded["token_type_ids"][window],
                [_first_letter(example.second, *span) if is_in else -1 for span, is_in in offsets],
                [end if is_in else -1 for (_, end), is_in in offsets],
            )


@dataclass(frozen=True, slots=True)
class _Window:
    """The tokens of a window, one entry per token in each list.

    Attributes:
        ids: Token ids.
        types: Segment of each token.
        starts: Where each begins in the context, in characters; -1 outside of it.
        ends: The character behind each; -1 outside of the context.
    """

    ids: list[int]
    types: list[int]
    starts: list[int]
    ends: list[int]


def _first_letter(text: str, start: int, end: int) -> int:
    """Returns where a token begins; for some tokenizers the space in front of a word is in it."""
    while start < end and text[start].isspace():
        start += 1
    return start


def _answers(example: Example, columns: Sequence[AnyColumn]) -> tuple[str, ...] | None:
    """Returns the texts of the right answers; () = there is no answer, None = it is not known."""
    # The rows are not shared, so at most one task stands on them; none when predicting.
    found: tuple[Answer, ...] | None = columns[0].value(example) if columns else None  # type: ignore[assignment]
    return None if found is None else tuple(answer.text for answer in found)
