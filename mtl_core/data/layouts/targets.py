"""Targets: texts and dialogues with what is to be written, both in one row, or apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mtl_core.data.arrays import Int64Array, Ragged
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout
from mtl_core.data.layouts.pieces import PieceIds
from mtl_core.data.layouts.prompts import Prompt, Target
from mtl_core.data.layouts.target_rows import RowMaker, TargetRow
from mtl_core.data.source import Source
from mtl_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CHUNK = 1000
"""Examples per call of the tokenizer: it works on many at once, and needs memory for them."""


@dataclass(frozen=True, slots=True)
class Targets(Layout):
    """What a model reads and what it is to write.

    In one row, a dialogue teaches all its replies at once; one that is longer than the encoder
    takes becomes several rows, so that each reply is learnt once, behind as much of its past as
    fits. Apart, each reply is a row of its own. What is too long loses its beginning, but not the
    instruction.

    Attributes:
        is_joint: Whether source and targets stand in one row; see `Writer.reads_targets`.
        prompt: How a row looks.
        target_length: Longest text to write, in sub-words, its end included; so many are left free
            behind every prompt of a joint row.
        facts: Column of what scores know of each example beside its texts; "" = nothing.
    """

    is_joint: bool
    prompt: Prompt
    target_length: int
    facts: str = ""

    rows: ClassVar = "texts with what is to be written"
    is_shared: ClassVar = False
    cut: ClassVar = "lose their beginning, to fit into"

    @property
    def longest_target(self) -> int | None:
        """Sub-words of the longest text to write; None where it stands in the row."""
        return None if self.is_joint else self.target_length

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        columns: Sequence[AnyColumn],
        labels: Mapping[str, Labels],
        *,
        max_length: int,
    ) -> EncodedSplit:
        """Encodes texts or dialogues; see `Layout.encode`.

        Raises:
            DataError: The tokenizer or its chat template cannot be used, or `target_length` leaves
                no room for a prompt.
        """
        # The rows are not shared, so at most one task stands on them; none when predicting.
        targets: list[Target] = [columns[0].value(one) if columns else None for one in examples]  # type: ignore[misc]
        made = list(self._rows(examples, targets, tokenizer, max_length))
        rows = [row for _, row in made]
        nothing = Ragged.from_rows([[]] * len(rows))
        written = [self.prompt.written(*pair) for pair in zip(examples, targets, strict=True)]
        source = Source(
            np.array([number for number, _ in made], dtype=np.int32),
            nothing,
            nothing,
            [one.second for one in examples],
            [texts or None for texts in written],
            np.array([row.num_targets for row in rows], dtype=np.int32),
            [str(one.labels.get(self.facts, "")) for one in examples] if self.facts else (),
        )
        return EncodedSplit(
            Ragged.from_rows([row.ids for row in rows]),
            Ragged.from_rows([row.texts for row in rows]),
            TaskLabels((c, Ragged.from_rows([row.labels for row in rows])) for c in columns),
            source=source,
        )

    def uncut_lengths(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        encoded: EncodedSplit,
        *,
        max_length: int,
    ) -> Int64Array:
        """Returns the lengths, counted anew for rows that may be cut; see `Layout`."""
        lengths = encoded.token_ids.lengths()
        assert encoded.source is not None
        of_row = encoded.source.of_row
        # A joint row that is cut leaves `target_length` free at most; one apart is full.
        free = self.target_length if self.is_joint else 0
        is_long = lengths >= max_length - free
        is_one_of_several = self.is_joint & (np.bincount(of_row)[of_row] > 1)
        suspects = np.unique(of_row[is_long | is_one_of_several])
        chosen = [examples[number] for number in suspects]
        column = next(iter(encoded.labels.columns.values()), None)
        targets: list[Target] = [column.value(one) if column else None for one in chosen]  # type: ignore[misc]
        rows = self._rows(chosen, targets, tokenizer, max_length)
        lengths[np.isin(of_row, suspects)] = [row.uncut for _, row in rows]
        return lengths

    def fits(
        self, example: Example, tokenizer: "PreTrainedTokenizerFast", *, max_length: int
    ) -> bool:
        """Returns whether an example has all that the prompt names."""
        return self.prompt.fits(example)

    def _rows(
        self,
        examples: Sequence[Example],
        targets: Sequence[Target],
        tokenizer: "PreTrainedTokenizerFast",
        max_length: int,
    ) -> Iterator[tuple[int, TargetRow]]:
        """Yields the rows of examples, in order, with the number of the example of each."""
        maker = RowMaker(
            PieceIds(tokenizer),
            is_joint=self.is_joint,
            is_chat=self.prompt.chat,
            longest=self.target_length,
            max_length=max_length,
        )
        for start in range(0, len(examples), _CHUNK):
            chunk = range(start, min(start + _CHUNK, len(examples)))
            pieces = []
            for number in chunk:
                try:
                    pieces.append(self.prompt.pieces(examples[number], targets[number], tokenizer))
                except DataError as error:
                    raise DataError(f"row {number + 1}: {error}") from error
            for number, rows in zip(chunk, maker.rows(pieces), strict=True):
                yield from ((number, row) for row in rows)
