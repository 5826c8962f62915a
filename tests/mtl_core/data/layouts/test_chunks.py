"""Chunks of running text: in order, whole words, as full as they can be."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.text import TextColumn
from mtl_core.data.example import Example
from mtl_core.data.layouts.chunks import Chunks, pack_words
from mtl_core.model.backbones.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


def test_chunks_hold_the_text_in_order_and_fit(
    sample: dict[str, list[Example]], tokenizer: PreTrainedTokenizerFast
) -> None:
    packed = pack_words(sample["train"][:600], tokenizer, length=32)
    words = [word for example in sample["train"][:600] for word in example.words]
    assert [word for example in packed for word in example.words] == words
    column = TextColumn("mlm", "")
    chunks = Chunks(32).encode(
        sample["train"][:600], tokenizer, [column], {"mlm": NoLabels()}, max_length=64
    )
    lengths = chunks.token_ids.lengths()
    assert lengths.max() <= 32
    assert (chunks.word_starts.values >= 0).all()  # nothing is cut
    # Each chunk is so full that the first word of the next one would not have fitted.
    first = chunks.word_ends.values[chunks.word_ends.offsets[1:-1]] - 1  # type: ignore[union-attr]
    assert (lengths[:-1] + first > 32).all()
