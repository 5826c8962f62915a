"""Sentences and pairs: one row per example, words aligned to sub-words through `word_ids`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mtl_core.data.arrays import NOWHERE, FloatArray, Int64Array, Ragged
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CHUNK = 1000
"""Rows per call of the tokenizer: it works on many at once, and needs memory for all of them."""


@dataclass(frozen=True, slots=True)
class Sentences(Layout):
    """Each example is one row; what is longer than the encoder takes is cut off."""

    rows: ClassVar = "sentences"
    is_shared: ClassVar = True

    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        columns: Sequence[AnyColumn],
        labels: Mapping[str, Labels],
        *,
        max_length: int,
    ) -> EncodedSplit:
        """Encodes sentences or pairs; see `Layout.encode`."""
        rows: dict[str, list[list[int]]] = {"ids": [], "starts": [], "ends": [], "types": []}
        # The first tells for all: either each example has a second part, or none has.
        has_pairs = bool(examples[0].second)
        for chunk, encoded in _tokenized(examples, tokenizer, max_length=max_length):
            rows["ids"].extend(encoded["input_ids"])
            if has_pairs:
                rows["types"].extend(encoded["token_type_ids"])
            for row, example in enumerate(chunk):
                starts, ends = _word_borders(encoded[row], len(example.words))
                # The tags behind those of the words stand at places that no head ever reads.
                rows["starts"].append(starts + [NOWHERE] * example.misfits)
                rows["ends"].append(ends + [NOWHERE] * example.misfits)
        return EncodedSplit(
            Ragged.from_rows(rows["ids"]),
            Ragged.from_rows(rows["starts"]),
            TaskLabels((c, c.encode(examples, labels[c.task_name], None)) for c in columns),
            Ragged.from_rows(rows["ends"]),
            Ragged.from_rows(rows["types"]) if has_pairs else None,
            _features(examples),
        )

    def uncut_lengths(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        encoded: EncodedSplit,
        *,
        max_length: int,
    ) -> Int64Array:
        """Returns the lengths by the sub-words of single words; see `Layout.uncut_lengths`."""
        lengths = encoded.token_ids.lengths()
        longest = int(lengths.max())
        # Most splits have no row of the greatest length; then none was cut, and all are known.
        suspects = np.flatnonzero(lengths == longest).tolist()
        pairs = [(examples[row].words, examples[row].second.split()) for row in suspects]
        pieces = count_pieces([Example((*words, *second)) for words, second in pairs], tokenizer)
        special = tokenizer.num_special_tokens_to_add(pair=bool(examples[0].second))
        for row, (words, second) in zip(suspects, pairs, strict=True):
            # A word that the tokenizer drops is read as the unknown token; of a second text not.
            first = sum(max(1, pieces[word]) for word in words)
            lengths[row] = special + first + sum(pieces[word] for word in second)
        return lengths


def _tokenized(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast", *, max_length: int
) -> Iterator[tuple[Sequence[Example], Any]]:
    """Yields up to `_CHUNK` examples at a time, and what the tokenizer makes of them."""
    unknown = str(tokenizer.unk_token)
    pieces = count_pieces(examples, tokenizer)
    has_pairs = bool(examples[0].second)
    for start in range(0, len(examples), _CHUNK):
        chunk = examples[start : start + _CHUNK]
        # A tokenizer drops control characters and their like; a word made of those alone would
        # have no sub-word to carry its tag, so it is read as the unknown token.
        first = [[word if pieces[word] else unknown for word in one.words] for one in chunk]
        second = [one.second.split() for one in chunk] if has_pairs else None
        # `truncation=True` takes from the longer text of a pair until both fit.
        encoded = tokenizer(
            first,
            second,
            is_split_into_words=True,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=has_pairs,
        )
        yield chunk, encoded


def count_pieces(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast"
) -> dict[str, int]:
    """Returns word -> number of its sub-words; 0 where the tokenizer drops all of it."""
    # Each distinct word once: texts repeat most of their words.
    words = sorted({word for example in examples for word in example.words})
    if not words:
        return {}
    encoded = tokenizer([[word] for word in words], add_special_tokens=False,
                        is_split_into_words=True)  # fmt: skip
    return {word: len(ids) for word, ids in zip(words, encoded["input_ids"], strict=True)}


def _word_borders(encoding: object, num_words: int) -> tuple[list[int], list[int]]:
    """Returns per word of the first text its first position and the one behind its last.

    Both are -1 for words that were cut off.
    """
    starts, ends = [-1] * num_words, [-1] * num_words
    pairs = zip(encoding.word_ids, encoding.sequence_ids, strict=True)  # type: ignore[attr-defined]
    for position, (word, sequence) in enumerate(pairs):
        # Special tokens have no word; the words of a second text count from 0 again.
        if sequence == 0 and word is not None:
            starts[word] = position if starts[word] < 0 else starts[word]
            ends[word] = position + 1
    return starts, ends


def _features(examples: Sequence[Example]) -> FloatArray | None:
    if not examples[0].features:
        return None
    return np.array([example.features for example in examples], dtype=np.float32)
