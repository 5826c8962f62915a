"""Windows over the contexts of questions: cover, labels, the disk."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from questions import COLUMN, CONTEXT, NOTHING, QUESTION, UNKNOWN, encode, source_of
from transformers import PreTrainedTokenizerFast

from mtl_core.data.arrow_files import open_split, write_split
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.errors import DataError
from mtl_core.model.backbones.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


@pytest.fixture(scope="module")
def windows(tokenizer: PreTrainedTokenizerFast) -> EncodedSplit:
    return encode([QUESTION, NOTHING], tokenizer)


def test_windows_cover_the_context_and_overlap(windows: EncodedSplit) -> None:
    questions = source_of(windows)
    assert len(windows) > 3
    for number in range(2):
        rows = np.flatnonzero(questions.of_row == number)
        spans = []
        for row in rows:
            starts, ends = questions.char_starts.row(row), questions.char_ends.row(row)
            spans.append({(s, e) for s, e in zip(starts, ends, strict=True) if s >= 0})
        assert all(len(a & b) == 4 for a, b in pairwise(spans))
        covered = {place for span in spans for s, e in span for place in range(s, e)}
        assert covered == {p for p, letter in enumerate(CONTEXT) if letter != " "}


def test_labels_are_the_tokens_of_the_answer(windows: EncodedSplit) -> None:
    questions, labels = source_of(windows), windows.labels["qa"]
    found = []
    for row in range(len(windows)):
        first, last = labels[row]
        if last:
            start = questions.char_starts.row(row)[first]
            found.append(CONTEXT[start : questions.char_ends.row(row)[last]])
            assert questions.of_row[row] == 0
    assert set(found) == {"paris"}
    assert (labels[questions.of_row == 1] == 0).all()


def test_windows_survive_the_disk(windows: EncodedSplit, tmp_path: Path) -> None:
    write_split(tmp_path, "dev", windows)
    opened = open_split(tmp_path, "dev", [COLUMN])
    assert np.array_equal(opened.labels["qa"], windows.labels["qa"])
    first, second = source_of(opened), source_of(windows)
    assert np.array_equal(first.char_ends.values, second.char_ends.values)
    assert second.answers == [("paris",), ()]
    assert first.answers == [["paris"], []]


def test_unknown_answers_survive_the_disk(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    split = encode([NOTHING, UNKNOWN], tokenizer)
    write_split(tmp_path, "dev", split)
    opened = open_split(tmp_path, "dev", [COLUMN])
    assert source_of(opened).answers == [[], None]
    of_row = source_of(split).of_row
    assert set(np.asarray(opened.labels["qa"])[of_row == 1].flatten()) == {-100}


def test_question_that_fills_the_window_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    long = Example(("play",) * 30, {"answers": ()}, second=CONTEXT)
    with pytest.raises(DataError, match=r"question 'play play.*': too long for windows of 24"):
        encode([long], tokenizer)
