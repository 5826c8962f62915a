"""Spans and the schemes of their tags, against seqeval."""

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOBES, Entities

from mtl_core.data.formats.spans import CharSpan, Scheme, spans_to_tags, to_iob2


@pytest.mark.parametrize(
    ("scheme", "reference", "tags"),
    [
        ("iob1", IOB1, "I-A I-A O I-B B-B I-B I-A O I-A"),
        ("iob1", IOB1, "O I-A B-A B-A I-A I-B"),
        ("iobes", IOBES, "B-A I-A E-A S-B O B-B E-B S-A S-A"),
    ],
)
def test_schemes_keep_the_entities_that_seqeval_finds(
    scheme: Scheme, reference: type, tags: str
) -> None:
    [expected] = Entities([tags.split()], reference).entities
    found = get_entities(list(to_iob2(tags.split(), scheme)))
    assert found == [(entity.tag, entity.start, entity.end - 1) for entity in expected]


def test_bilou_is_read_as_iobes() -> None:
    assert to_iob2(["B-A", "I-A", "L-A", "U-B", "U-B"], "iobes") == (
        "B-A", "I-A", "I-A", "B-B", "B-B"
    )  # fmt: skip


def test_an_inside_tag_without_a_beginning_stays_and_is_no_entity() -> None:
    assert to_iob2(["O", "I-A"], "iob2") == ("O", "I-A")


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
