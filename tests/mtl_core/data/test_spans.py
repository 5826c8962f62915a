"""Spans of characters and the tags of words."""

import pytest

from mtl_core.data.formats.spans import CharSpan, spans_to_tags


def test_spans_and_tags_go_back_and_forth() -> None:
    text = " a  table for two , in Paris "
    spans = [CharSpan(14, 17, "people"), CharSpan(23, 28, "place"), CharSpan(4, 9, "thing")]
    assert [text[start:end] for start, end, _ in spans] == ["two", "Paris", "table"]
    tags = spans_to_tags(text, spans)
    assert tags == ("O", "B-thing", "O", "B-people", "O", "O", "B-place")
    # A span that cuts a word takes the whole word.
    assert spans_to_tags("in Paris.", [CharSpan(4, 6, "x")]) == ("O", "B-x")


def test_of_overlapping_spans_the_longest_stays_when_asked() -> None:
    spans = [CharSpan(2, 3, "b"), CharSpan(0, 3, "a")]
    assert spans_to_tags("x y z", spans, overlaps="longest") == ("B-a", "I-a", "O")
    with pytest.raises(ValueError, match=r"span 0-3 \(a\) takes the word 'y', which .*\(b\) has"):
        spans_to_tags("x y z", spans)
