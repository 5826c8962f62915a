"""Chunks: running text as rows of about the same length, for masked language modelling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout
from mtl_core.data.layouts.sentences import Sentences, count_pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Chunks(Layout):
    """The examples as one text, one row per chunk.

    Attributes:
        length: Longest chunk, in sub-words; no more than the encoder takes.
    """

    length: int

    rows: ClassVar = "chunks of running text"
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
        """Encodes the chunks; see `Layout.encode`."""
        length = min(max_length, self.length)
        packed = pack_words(examples, tokenizer, length=length)
        return Sentences().encode(packed, tokenizer, columns, labels, max_length=length)


def pack_words(
    examples: Sequence[Example], tokenizer: "PreTrainedTokenizerFast", *, length: int
) -> list[Example]:
    """Joins running text into examples of at most `length` sub-words, special tokens included.

    Words stay whole, and chunks go on over the ends of examples. A word longer than `length` has an
    example of its own, which is cut later. Labels and second texts are dropped.
    """
    pieces = count_pieces(examples, tokenizer)
    room = length - tokenizer.num_special_tokens_to_add()
    packed: list[Example] = []
    words: list[str] = []
    used = 0
    for word in (word for example in examples for word in example.words):
        # A word that the tokenizer drops is encoded as the unknown token, which is one sub-word.
        size = max(1, pieces[word])
        if words and used + size > room:
            packed.append(Example(tuple(words)))
            words, used = [], 0
        words.append(word)
        used += size
    return [*packed, Example(tuple(words))]
