"""The contract of layouts, which make examples rows of token ids; one file per layout."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mtl_core.data.arrays import Int64Array
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Layout(ABC):
    """How examples become rows of token ids; `EncodedSplit.source` leads from rows to texts.

    A task names the layout that it needs. The fields of a layout are the settings that shape the
    encoding: each is part of the key that encoded data is cached under.

    Attributes:
        rows: What the rows are, for messages.
        is_shared: Whether several tasks can use the same rows.
        cut: What becomes of rows that are longer than the encoder takes; a number of sub-words
            follows.
    """

    rows: ClassVar[str]
    is_shared: ClassVar[bool]
    cut: ClassVar[str] = "are cut after"

    @property
    def longest_target(self) -> int | None:
        """Sub-words of the longest text that is written apart from its row; None = no text is."""
        return None

    @abstractmethod
    def encode(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        columns: Sequence[AnyColumn],
        labels: Mapping[str, Labels],
        *,
        max_length: int,
    ) -> EncodedSplit:
        """Encodes one split.

        Args:
            examples: The examples; at least one. All have a second part, or none has.
            tokenizer: A fast tokenizer.
            columns: The tasks on the data set; none = texts to predict.
            labels: Task name -> its labels.
            max_length: Longest row, in sub-words, special tokens included.

        Raises:
            DataError: An example cannot be encoded.
        """

    def uncut_lengths(
        self,
        examples: Sequence[Example],
        tokenizer: "PreTrainedTokenizerFast",
        encoded: EncodedSplit,
        *,
        max_length: int,
    ) -> Int64Array:
        """Returns how long each row would be if none were cut, in sub-words, (rows,).

        Args:
            examples: What was encoded.
            tokenizer: What it was encoded with.
            encoded: What `encode` returned for them.
            max_length: Longest row that it was to make.
        """
        return encoded.token_ids.lengths()

    def fits(
        self, example: Example, tokenizer: "PreTrainedTokenizerFast", *, max_length: int
    ) -> bool:
        """Returns whether an example can be encoded at all; asked before `encode` by predictors."""
        return True

    def cache_key(self) -> dict[str, Any]:
        """Returns all settings that shape the encoding, as plain values.

        Encoded data is cached under a hash of them, so a change of the form builds it again.
        """
        return {"kind": type(self).__name__, **asdict(self)}
