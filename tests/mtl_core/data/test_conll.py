"""CoNLL files as people have them: other schemes and separators, comments that look like rows."""

from typing import Any

import pytest
from formats import WriteRows, read

from mtl_core.data.example import ColumnKind, Example
from mtl_core.errors import DataError

NER: dict[str, ColumnKind] = {"ner": "tags"}
# The columns of GermEval 2014, https://sites.google.com/site/germeval2014ner/data: number, word,
# outer and inner tag; a comment with the source in front, parted by tabs as well.
GERMEVAL = """\
#	http://de.wikipedia.org/wiki/Bayern_Munich	[2009-10-17]
1	Der	O	O
2	1.	B-ORG	O
3	FC	I-ORG	O
4	K\u00f6ln	I-ORG	B-LOC

#	n-tv.de vom 26.02.2005	[2005-02-26]
1	#	O	O
2	norddeutsche	B-LOCderiv	O
"""


def test_columns_of_germeval(write_rows: WriteRows) -> None:
    found = read(
        write_rows(GERMEVAL),
        "conll",
        {"outer": "tags", "inner": "tags"},
        separator="tab",
        words=1,
        columns={"outer": 2, "inner": 3},
    )
    assert found == [
        Example(
            ("Der", "1.", "FC", "K\u00f6ln"),
            {"outer": ("O", "B-ORG", "I-ORG", "I-ORG"), "inner": ("O", "O", "O", "B-LOC")},
        ),
        Example(("#", "norddeutsche"), {"outer": ("O", "B-LOCderiv"), "inner": ("O", "O")}),
    ]


@pytest.mark.parametrize(
    ("content", "settings", "tags"),
    [
        ("deep B\nnets I\nlearn O\n", {}, ("B-ner", "I-ner", "O")),
        ("Rossi PER\nMario PER\nin 0\nRoma LOC\n", {"schemes": {"ner": "io"}},
         ("B-PER", "I-PER", "O", "B-LOC")),
        ("a S-X\nb B-Y\nc E-Y\n", {}, ("B-X", "B-Y", "I-Y")),
        ("\u4e2d B-ORG\n\u56fd M-ORG\n\u961f E-ORG\n", {}, ("B-ORG", "I-ORG", "I-ORG")),
        ("a 1\nb 2\nc 0\n", {"labels": {"map": {0: "O", 1: "B-X", 2: "I-X"}}},
         ("B-X", "I-X", "O")),
    ],
)  # fmt: skip
def test_tags_of_other_schemes(
    write_rows: WriteRows, content: str, settings: dict[str, Any], tags: tuple[str, ...]
) -> None:
    [found] = read(write_rows(content), "conll", NER, columns={"ner": 1}, **settings)
    assert found.labels["ner"] == tags


def test_fields_parted_by_commas(write_rows: WriteRows) -> None:
    content = '# topic = sport\nLeeds,NNP,B-LOC\n",",",",O\n"""",\'\',O\n'
    [found] = read(
        write_rows(content), "conll", {**NER, "topic": "label"}, columns={"ner": -1},
        separator="comma",
    )  # fmt: skip
    tags = ("B-LOC", "O", "O")
    assert found == Example(("Leeds", ",", '"'), {"topic": "sport", "ner": tags})


def test_a_carriage_return_inside_of_a_line_is_told(write_rows: WriteRows) -> None:
    with pytest.raises(DataError, match=r"rows\.txt:2: expected 2 columns"):
        read(write_rows("a,O\nb\r,O,x\n"), "conll", NER, columns={"ner": 1}, separator="comma")


def test_a_document_line_ends_a_sentence(write_rows: WriteRows) -> None:
    content = "-DOCSTART- -X- O\nEU N B-ORG\n-DOCSTART- (2) O\n\nsays V O\n0 -DOCSTART- O\nso R O"
    found = read(write_rows(content), "conll", NER, columns={"ner": 2})
    assert [example.words for example in found] == [("EU",), ("says",), ("so",)]


def test_all_bad_sentences_are_told_with_their_lines(write_rows: WriteRows) -> None:
    content = "a B-X\nb X-X\n\nc O\n\nd O\ne\n\nf O-X\n"
    with pytest.raises(DataError) as error:
        read(write_rows(content), "conll", NER, columns={"ner": 1})
    places = [line.partition("rows.txt:")[2] for line in error.value.lines]
    assert [place[: place.index(" ")] for place in places] == ["2:", "7:", "9:"]
    assert "found 'X-X'" in places[0]
    assert "expected 2 columns" in places[1]


def test_what_fits_no_scheme_is_told_with_the_setting(write_rows: WriteRows) -> None:
    message = r"rows\.txt:1: expected a tag of iob2 .*'PER'; .* `schemes: {ner: io}` where neigh"
    with pytest.raises(DataError, match=message):
        read(write_rows("Rossi PER\nin O\n"), "conll", NER, columns={"ner": 1})


@pytest.mark.parametrize(
    ("content", "place", "found"),
    [
        ("Rome O\n\nParis O\n\nOslo O\n", 2, "2 columns, 0 and 1 (so in all 3)"),
        ("Rome\n\nParis\n", 1, "1 column, 0 (so in all 2)"),
        ("a X O\n", -4, "3 columns, 0 to 2"),
    ],
)
def test_a_column_that_no_line_has_is_told_once(
    write_rows: WriteRows, content: str, place: int, found: str
) -> None:
    with pytest.raises(DataError) as error:
        read(write_rows(content), "conll", NER, columns={"ner": place})
    [line] = error.value.lines
    expected = f":1: there is no column {place} for 'ner'; its line has {found}"
    assert line.endswith(f"rows.txt{expected}")
