"""How tags mark spans, as `mtl init` sees it."""

import pytest

from tuning.init.tags import Marks, marks_of


@pytest.mark.parametrize(
    ("sentences", "marks"),
    [
        (["B-A I-A O", "O B-B"], "iob2"),
        (["I-A I-A O", "O I-B B-B"], "iob1"),
        (["B-A E-A O", "S-B O"], "iobes"),
        (["B I O", "O B"], "bare"),
        (["PER PER O", "O LOC"], "io"),
        (["DET NOUN", "VERB"], "plain"),
        (["0 1 2", "3 0"], "plain"),  # numbers do not say what they stand for
        (["O O"], "plain"),
    ],
)
def test_marks_are_told_from_tags(sentences: list[str], marks: Marks) -> None:
    assert marks_of([sentence.split() for sentence in sentences]) == marks
