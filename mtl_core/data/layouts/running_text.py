"""Running text that is itself to be written: rows of tokens, each foreseen from those before it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Int32Array, Ragged
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_PER_CALL = 1000
"""Examples per call of the tokenizer: it works on many at once, and needs memory for all."""


@dataclass(frozen=True, slots=True)
class RunningText(Layout):
    """The examples as one text, cut into rows of the same length, for causal language modelling.

    Rows go on over the ends of examples, and cut words where they must, so that no token is lost.
    A row begins as the tokenizer begins texts, and no token ends it: the text goes on.

    Attributes:
        length: Longest row, in sub-words; no more than the encoder takes.
        reads_targets: Whether a row holds its own targets, as `Writer.reads_targets` has it. If
            not, the source is an empty text, of special tokens alone.
    """

    length: int
    reads_targets: bool

    rows: ClassVar = "rows of running text"
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
        """Encodes the rows; see `Layout.encode`."""
        begin, empty = _special_tokens(tokenizer)
        length = min(max_length, self.length)
        tokens = np.concatenate(list(_tokens(examples, tokenizer)))
        if self.reads_targets:
            pieces = _cut(tokens, length - len(begin))
            rows = [np.concatenate([begin, piece]) for piece in pieces]
            # Nothing stands before the first token of a row that could foresee it.
            targets = [_without_first(row, max(1, len(begin))) for row in rows]
            words = [np.arange(len(begin), len(row), dtype=np.int32) for row in rows]
        else:
            targets = _cut(tokens, length)
            rows, words = [empty] * len(targets), [empty[:0]] * len(targets)
        found = Ragged.from_rows(targets)
        return EncodedSplit(
            Ragged.from_rows(rows),
            Ragged.from_rows(words),  # Each token counts as a word.
            TaskLabels((column, found) for column in columns),
        )


def _special_tokens(tokenizer: "PreTrainedTokenizerFast") -> tuple[Int32Array, Int32Array]:
    """Returns what the tokenizer puts before a text, and what it makes of an empty one."""
    encoded = tokenizer(["a"], is_split_into_words=True, return_special_tokens_mask=True)
    ids = np.array(encoded["input_ids"], dtype=np.int32)
    is_special = np.array(encoded["special_tokens_mask"], dtype=bool)
    empty = ids[is_special]
    if not len(empty):
        # An encoder needs something to read.
        empty = np.array([tokenizer.eos_token_id or tokenizer.pad_token_id or 0], dtype=np.int32)
    return ids[: int(np.argmin(is_special))], empty


def _tokens(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast"
) -> Iterator[Int32Array]:
    """Yields the tokens of the examples, in pieces, without special tokens."""
    for start in range(0, len(examples), _PER_CALL):
        words = [list(example.words) for example in examples[start : start + _PER_CALL]]
        # Not verbose: else it says of every long text that the model does not take so much.
        encoded = tokenizer(
            words, is_split_into_words=True, add_special_tokens=False, verbose=False
        )
        yield np.concatenate([np.array(ids, dtype=np.int32) for ids in encoded["input_ids"]])


def _cut(tokens: Int32Array, length: int) -> list[Int32Array]:
    """Returns pieces of at most `length` tokens; one of none where there are no tokens."""
    return np.split(tokens, range(length, len(tokens), length))


def _without_first(row: Int32Array, count: int) -> Int32Array:
    targets = row.copy()
    targets[:count] = NO_LABEL
    return targets
