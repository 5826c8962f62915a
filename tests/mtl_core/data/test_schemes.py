"""Tag schemes against seqeval and cases worked by hand; what is said where none fits."""

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOBES, Entities

from mtl_core.data.schemes import Scheme, TagError, TagReader


def read(tags: str, scheme: Scheme | None = None, column: str = "ner") -> str:
    """Reads the tags of one sentence, which is all there is of the file."""
    return " ".join(TagReader.over(tags.split(), scheme, column).read(tags.split()))


@pytest.mark.parametrize(
    ("scheme", "reference", "tags"),
    [
        ("iob1", IOB1, "I-A I-A O I-B B-B I-B I-A O I-A"),
        ("iob1", IOB1, "O I-A B-A B-A I-A I-B"),
        ("iobes", IOBES, "B-A I-A E-A S-B O B-B E-B S-A S-A"),
        (None, IOBES, "B-A I-A E-A S-B O B-B E-B S-A S-A"),
        (None, BILOU, "U-A O B-A L-A B-B I-B L-B U-B O"),
    ],
)
def test_schemes_keep_the_entities_that_seqeval_finds(
    scheme: Scheme | None, reference: type, tags: str
) -> None:
    [expected] = Entities([tags.split()], reference).entities
    found = get_entities(read(tags, scheme).split())
    assert found == [(entity.tag, entity.start, entity.end - 1) for entity in expected]


@pytest.mark.parametrize(
    ("tags", "scheme", "expected"),
    [
        ("B-A I-A L-A U-B U-B", "iobes", "B-A I-A I-A B-B B-B"),
        ("B-A M-A E-A O S-B", None, "B-A I-A I-A O B-B"),  # BMES, of Chinese corpora
        ("O I-A", "iob2", "O I-A"),  # continues nothing, and no span is counted
        ("ORG ORG 0 PER ORG", "io", "B-ORG I-ORG O B-PER B-ORG"),  # as EuroparlNER
        ("I-A I-A O I-B I-A", "io", "B-A I-A O B-B B-A"),
        ("B-A 0 B-A I-A", None, "B-A O B-A I-A"),
        ("B_A I_A O B-C-D", None, "B-A I-A O B-C-D"),
        ("NOUN 0 VERB", "plain", "NOUN 0 VERB"),
        ("B I O B B", None, "B-ner I-ner O B-ner B-ner"),
        ("B I E O S", None, "B-ner I-ner I-ner O B-ner"),
        ("I I O I", "iob1", "B-ner I-ner O B-ner"),
        ("I I O I", "io", "B-ner I-ner O B-ner"),
        ("L L O M", "io", "B-L I-L O B-M"),  # types of one letter
        ("O O", None, "O O"),
    ],
)
def test_tags_become_iob2(tags: str, scheme: Scheme | None, expected: str) -> None:
    assert read(tags, scheme) == expected


def test_numbers_stay_to_be_given_names() -> None:
    assert read("0 1 2 0") == "0 1 2 0"
    assert read("0 B-A") == "O B-A"


IO = r"`schemes: \{ner: io\}` where neighbouring equal tags are one span"
PLAIN = r"`schemes: \{ner: plain\}` where they mark no spans"


@pytest.mark.parametrize(
    ("tags", "scheme", "position", "end"),
    [
        ("O ORG PER", None, 1, f"found 'ORG'; all tags of the column fit {IO}, or {PLAIN}"),
        ("NOUN VERB", None, 0, f"found 'NOUN'; all tags of the column fit {PLAIN}"),
        (
            "O B-A E-A",
            "iob2",
            2,
            r"found 'E-A'; all tags of the column fit `schemes: {ner: iobes}`",
        ),
        ("I-A B-A", "io", 1, "found 'B-A'; .* fit `schemes: {ner: iob2}`, or .*ner: iobes}`"),
        ("B I O", "io", 0, "found 'B'; .* fit `schemes: {ner: iob2}`, or .*ner: iobes}`"),
        ("B-A X-A O", None, 1, "found 'X-A'"),  # a slip, for which no scheme is to blame
        ("B-A B O", None, 1, "found 'B'"),
        ("B-A B- O", None, 1, "found 'B-'"),
        ("0 1 2 0", "iob2", 1, r"found '1'; `labels: \{map: \{0: O, 1: B-TYPE, ...\}\}` says .*"),
    ],
)
def test_a_tag_of_another_scheme_is_told_with_what_reads_it(
    tags: str, scheme: Scheme | None, position: int, end: str
) -> None:
    with pytest.raises(TagError, match=rf"expected a tag of \w+ \(O, .*\), {end}$") as error:
        read(tags, scheme)
    assert error.value.position == position
