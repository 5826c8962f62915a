"""Running text as rows of tokens to foresee: none is lost, and all are targets but the first."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.running_text import RunningText
from mtl_core.model.backbones.tokenizer import load_tokenizer

COLUMN = TargetColumn("lm", "")
TEXTS = [Example(tuple("abcdefg")), Example(tuple("hijk"))]


def tokenizer(*, begins: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer of single letters, "a" is 2; with a token in front of a text, 0, or without."""
    ids = {piece: number for number, piece in enumerate(["<s>", "</s>", *"abcdefghijk"])}
    backend = Tokenizer(models.WordLevel(ids, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    if begins:
        backend.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="a"
    )


def encoded(
    tokens: PreTrainedTokenizerFast, length: int, *, reads_targets: bool
) -> tuple[list[list[int]], list[list[int]]]:
    """Returns rows and labels as lists."""
    layout = RunningText(length, reads_targets)
    split = layout.encode(TEXTS, tokens, [COLUMN], {"lm": NoLabels()}, max_length=64)
    labels = split.labels["lm"]
    return lists(split), [labels.row(row).tolist() for row in range(len(split))]


def lists(split: EncodedSplit) -> list[list[int]]:
    return [split.token_ids.row(row).tolist() for row in range(len(split))]


def test_rows_of_a_decoder_go_on_over_the_ends_of_texts() -> None:
    rows, labels = encoded(tokenizer(), 8, reads_targets=True)
    assert rows == [[2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12]]
    assert labels == [[-100, 3, 4, 5, 6, 7, 8, 9], [-100, 11, 12]]


def test_a_token_in_front_of_each_row_lets_all_others_be_foreseen() -> None:
    rows, labels = encoded(tokenizer(begins=True), 8, reads_targets=True)
    # No end token: the text goes on.
    assert rows == [[0, 2, 3, 4, 5, 6, 7, 8], [0, 9, 10, 11, 12]]
    assert labels == [[-100, *row[1:]] for row in rows]


@pytest.mark.parametrize(("begins", "empty"), [(True, [0, 1]), (False, [1])])
def test_an_encoder_decoder_writes_the_rows_to_an_empty_source(
    begins: bool, empty: list[int]
) -> None:
    rows, labels = encoded(tokenizer(begins=begins), 8, reads_targets=False)
    assert rows == [empty, empty]
    assert labels == [[2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12]]


def test_rows_are_no_longer_than_the_encoder_takes() -> None:
    layout = RunningText(128, reads_targets=True)
    split = layout.encode(TEXTS, tokenizer(), [COLUMN], {"lm": NoLabels()}, max_length=9)
    assert split.token_ids.lengths().tolist() == [9, 2]


def test_no_token_of_a_text_is_lost(sample: dict[str, list[Example]], tiny_encoder: Path) -> None:
    tokens, examples = load_tokenizer(str(tiny_encoder)), sample["train"][:200]
    layout = RunningText(17, reads_targets=True)
    split = layout.encode(examples, tokens, [COLUMN], {"lm": NoLabels()}, max_length=64)
    # The tokenizer begins each row with a token of its own.
    joined = [token for row in lists(split) for token in row[1:]]
    text = " ".join(word for example in examples for word in example.words)
    assert joined == tokens(text, add_special_tokens=False)["input_ids"]
    assert int(COLUMN.count(split.labels["lm"], split.word_starts).sum()) == len(split)
