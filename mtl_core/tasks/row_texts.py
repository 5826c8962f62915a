"""The texts of rows as the model read them, made of their sub-words."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.layouts.pieces import special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BETWEEN = " | "
"""Stands for the special tokens between two parts of a row."""


class RowTexts:
    """Texts of the rows of a split; a tokenizer that drops letters or cases has dropped them here.

    Attributes:
        split: The rows.
        tokenizer: The tokenizer that made them.
    """

    def __init__(self, split: EncodedSplit, tokenizer: "PreTrainedTokenizerFast") -> None:
        self.split = split
        self.tokenizer = tokenizer
        # What the tokenizer does not know, and what is hidden, has been read as such.
        shown = {tokenizer.unk_token_id, tokenizer.mask_token_id}
        self._special = np.array(sorted(special_ids(tokenizer) - shown), dtype=np.int64)

    def example(self, row: int) -> int:
        """Returns the number of the example that a row is, or is a piece of, from 1."""
        source = self.split.source
        return 1 + (row if source is None else int(source.of_row[row]))

    def row(self, row: int) -> str:
        """Returns the text of a row; its parts, such as those of a pair, with " | " between."""
        ids, starts = self.split.token_ids.row(row), self.split.word_starts.row(row)
        # Words of sentences were read one by one, and some tokenizers know of no space between
        # them; in longer texts every sub-word counts as a word.
        return self._text(ids, starts[starts >= 0] if self.split.source is None else starts[:0])

    def words(self, row: int, first: int, last: int) -> str:
        """Returns the words `first` to `last` of a row; "" when the first was cut off."""
        ends = self.split.word_ends
        starts = self.split.word_starts.row(row)
        if starts[first] < 0:
            return ""
        until = (starts + 1 if ends is None else ends.row(row))[first : last + 1].max()
        begins = starts[first : last + 1] - starts[first]
        ids = self.split.token_ids.row(row)[starts[first] : until]
        return self._text(ids, begins[begins >= 0])

    def of_ids(self, ids: npt.NDArray[np.generic]) -> str:
        """Returns the text of sub-words, (n,)."""
        return self._text(ids, ids[:0])

    def _text(self, ids: npt.NDArray[np.generic], starts: npt.NDArray[np.generic]) -> str:
        """Returns the text of sub-words, with a space before each of those at `starts`."""
        is_special = np.isin(ids, self._special)
        parts: list[list[str]] = [[]]
        for run in np.split(ids, np.union1d(np.flatnonzero(is_special), starts).astype(np.int64)):
            is_part = np.isin(run[:1], self._special).any()
            if is_part:
                parts.append([])
            text = self.tokenizer.decode(run[int(is_part) :].tolist()).strip()
            parts[-1] += [text] if text else []
        return _BETWEEN.join(" ".join(part) for part in parts if part)
