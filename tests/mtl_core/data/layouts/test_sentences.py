"""Sentences as rows: alignment of words and sub-words, label ids, cut text."""

from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from mtl_core.data.arrays import Ragged
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import Example
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.model.backbones.tokenizer import load_tokenizer

SLOTS = TagsColumn("slots", "slots", is_bio=True)
INTENT = LabelColumn("intent", "intent")
SENTENCES = Sentences()
LABELS = {"intent": LabelNames(("a", "b"), ()), "slots": LabelNames(("B-x", "O"), ("I-x",))}


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


def rows(ragged: Ragged) -> list[list[int]]:
    bounds = zip(ragged.offsets[:-1], ragged.offsets[1:], strict=True)
    return [ragged.values[start:end].tolist() for start, end in bounds]


def test_words_start_at_their_first_piece(
    tokenizer: PreTrainedTokenizerFast, sample: dict[str, list[Example]]
) -> None:
    examples = sample["dev"]
    encoded = SENTENCES.encode(examples, tokenizer, [], {}, max_length=64)
    for row, example in enumerate(examples):
        ids = [tokenizer.cls_token_id]
        starts = []
        for word in example.words:  # one word at a time: no alignment to get wrong
            starts.append(len(ids))
            ids += tokenizer(word, add_special_tokens=False)["input_ids"]
        assert rows(encoded.token_ids)[row] == [*ids, tokenizer.sep_token_id]
        assert rows(encoded.word_starts)[row] == starts


def test_words_without_pieces_are_read_as_unknown(tokenizer: PreTrainedTokenizerFast) -> None:
    example = Example(("play", "\u200b", "it"), {"slots": ("O", "B-x", "O")})
    encoded = SENTENCES.encode([example], tokenizer, [SLOTS], LABELS, max_length=16)
    assert rows(encoded.word_starts) == [[1, 2, 3]]
    assert rows(encoded.token_ids)[0][2] == tokenizer.unk_token_id


def test_label_ids_of_labelled_and_unlabelled_rows(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = [
        Example(("one", "two"), {"intent": "b", "slots": ("O", "I-x")}),
        Example(("one", "two")),
    ]
    encoded = SENTENCES.encode(examples, tokenizer, [INTENT, SLOTS], LABELS, max_length=16)
    intent, slots = encoded.labels["intent"], encoded.labels["slots"]
    assert isinstance(intent, np.ndarray)
    assert isinstance(slots, Ragged)
    assert intent.tolist() == [1, -100]
    assert rows(slots) == [[1, 2], [-100, -100]]
