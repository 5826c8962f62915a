"""Texts that a writer writes for prompts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from mtl_core.data.arrays import Int64Array, Ragged
from mtl_core.data.batching import make_batch
from mtl_core.data.prompt_rows import Prompts
from mtl_core.model.writers.generating import ROWS
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.writer import Writer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def write_prompts(
    writer: Writer,
    prompts: Prompts,
    numbers: Int64Array,
    decoding: Decoding,
    *,
    on_piece: Callable[[str], None] | None = None,
) -> list[str]:
    """Returns the texts that follow some prompts, (n,).

    Args:
        writer: The model's, in evaluation mode.
        prompts: The prompts.
        numbers: Which of them, (n,).
        decoding: How the next token is chosen.
        on_piece: Is told of the text of a single prompt while it is written, where that can be.
    """
    tokenizer = writer.tokenizer
    batch = make_batch(prompts.rows, numbers, pad_token_id=tokenizer.pad_token_id or 0)
    found = writer.write(
        batch.to(writer.whole.device),
        decoding,
        seeds=prompts.seeds()[numbers],
        stream=None if on_piece is None else _Pieces(tokenizer, decoding, on_piece),
    )
    return [as_text(tokenizer, ids, decoding) for ids in found]


def write_rows(
    writer: Writer,
    token_ids: Ragged,
    decoding: Decoding,
    *,
    on_piece: Callable[[str], None] | None = None,
) -> list[str]:
    """Returns the texts that follow rows of token ids; see `write_prompts`."""
    prompts = Prompts(token_ids, np.arange(len(token_ids)))
    found: dict[int, str] = {}
    for numbers in prompts.batches(most=ROWS):
        texts = write_prompts(writer, prompts, numbers, decoding, on_piece=on_piece)
        found.update(zip(numbers.tolist(), texts, strict=True))
    return [found[row] for row in range(len(prompts))]


def as_text(tokenizer: "PreTrainedTokenizerFast", token_ids: list[int], decoding: Decoding) -> str:
    """Returns token ids as a text, without special tokens and space around it."""
    text: str = tokenizer.decode(token_ids, skip_special_tokens=True)
    return decoding.cut(text).strip()


class _Pieces:
    """Tells of a text piece by piece, as soon as nothing can change it any more."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerFast",
        decoding: Decoding,
        on_piece: Callable[[str], None],
    ) -> None:
        self._tokenizer, self._decoding, self._on_piece = tokenizer, decoding, on_piece
        self._ids: list[int] | None = None
        self._told = ""

    def put(self, value: Tensor) -> None:
        """Takes the prompt, then each token."""
        if self._ids is None:
            self._ids = []
            return
        self._ids += value.reshape(-1).tolist()
        text = as_text(self._tokenizer, self._ids, self._decoding).rstrip("\ufffd")
        # The begin of a string that ends the text may be the last that is there.
        waiting = max((len(stop) - 1 for stop in self._decoding.stop), default=0)
        self._tell(text[: len(text) - waiting])

    def end(self) -> None:
        """Tells of what was held back."""
        self._tell(as_text(self._tokenizer, self._ids or [], self._decoding))

    def _tell(self, text: str) -> None:
        if len(text) > len(self._told) and text.startswith(self._told):
            self._on_piece(text[len(self._told) :])
            self._told = text
