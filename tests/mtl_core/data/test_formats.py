"""The formats: CoNLL, CoNLL-U, SQuAD, character spans, CLINC150 and plain lines."""

import json
from typing import Any

import pytest
from formats import CONLLU, CONTEXT, SECTIONS, SQUAD, WriteRows, read
from pydantic import ValidationError

from mtl_core.data.example import Answer, ColumnKind, Example

EWT = """\
# newdoc id = weblog-1
# sent_id = weblog-1-0001
From	ADP	IN	3	case	O
the	DET	DT	3	det	O
AP	PROPN	NNP	4	obl	B-ORG

# sent_id = weblog-1-0002
#	SYM	NN	0	root	O
"""
WIKIGOLD = """\
-DOCSTART- O

010 I-MISC
is O
Japanese I-MISC
Punk B-MISC
Band I-ORG

# O
"""
XSID = """\
# text = show all reminders
# intent = reminder/show_reminders
# slots: 5:8:reminder/reference
1	show	reminder/show_reminders	O
2	all	reminder/show_reminders	B-reference
3	reminders	reminder/show_reminders	O
"""
RESTAURANT: list[dict[str, Any]] = [
    {
        "userInput": {"text": "There will be 5 adults and 1 child."},
        "labels": [{"slot": "people", "valueSpan": {"startIndex": 14, "endIndex": 34}}],
    },
    {
        "userInput": {"text": "Tonight at 8"},
        "context": {"requestedSlots": ["time"]},
        "labels": [
            {"slot": "time", "valueSpan": {"startIndex": 11, "endIndex": 12}},
            {"slot": "date", "valueSpan": {"endIndex": 7}},
        ],
    },
    {"userInput": {"text": "no thanks"}},
]


def test_columns_with_tabs_as_in_ewt(write_rows: WriteRows) -> None:
    found = read(
        write_rows(EWT),
        "conll",
        {"upos": "tags", "entities": "tags", "newdoc id": "label"},
        separator="tab",
        columns={"upos": 1, "entities": -1},
        schemes={"upos": "plain"},
    )
    first = {"upos": ("ADP", "DET", "PROPN"), "entities": ("O", "O", "B-ORG")}
    assert found == [
        Example(("From", "the", "AP"), {**first, "newdoc id": "weblog-1"}),
        Example(("#",), {"upos": ("SYM",), "entities": ("O",)}),  # a word, as it has tabs
    ]


def test_iob1_as_in_wikigold(write_rows: WriteRows) -> None:
    found = read(
        write_rows(WIKIGOLD),
        "conll",
        {"entities": "tags"},
        columns={"entities": 1},
        schemes={"entities": "iob1"},
        comment=None,
    )
    tags = ("B-MISC", "O", "B-MISC", "B-MISC", "B-ORG")
    assert [example.labels["entities"] for example in found] == [tags, ("O",)]
    assert found[1].words == ("#",)


def test_words_may_begin_with_the_sign_of_comments(write_rows: WriteRows) -> None:
    content = (
        "-DOCSTART-\n\n# source = tweets\n# all of May\n#worldcup B-event\nnow O\n\n"
        "# O\n1 O\n\n#fail O\n"
    )
    found = read(write_rows(content), "conll", {"e": "tags", "source": "label"}, columns={"e": 1})
    assert found == [
        Example(("#worldcup", "now"), {"source": "tweets", "e": ("B-event", "O")}),
        Example(("#", "1"), {"e": ("O", "O")}),
        Example(("#fail",), {"e": ("O",)}),
    ]


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("# sent_id = 7\nEU NNP B-NP B-ORG\n\n#1 CD B-NP O\n", 3),
        ("# sent_id=7\nEU B-ORG\n\n#1 O\n", 1),
    ],
)
def test_key_and_value_are_a_comment_among_as_many_columns(
    write_rows: WriteRows, content: str, column: int
) -> None:
    columns: dict[str, ColumnKind] = {"ner": "tags", "sent_id": "label"}
    found = read(write_rows(content), "conll", columns, columns={"ner": column})
    assert [example.words for example in found] == [("EU",), ("#1",)]
    assert found[0].labels["sent_id"] == "7"


@pytest.mark.parametrize("column", [1, -1])
def test_no_break_spaces_stand_inside_words(write_rows: WriteRows, column: int) -> None:
    content = "10\u00a0000 B-n\n\neuros O\n"
    found = read(write_rows(content), "conll", {"e": "tags"}, columns={"e": column})
    assert found == [
        Example(("10\u00a0000",), {"e": ("B-n",)}),
        Example(("euros",), {"e": ("O",)}),
    ]


def test_an_equals_sign_further_on_makes_no_comment(write_rows: WriteRows) -> None:
    content = "# SYM Num=Sing\n1 NUM Num=Plur\n"
    [found] = read(write_rows(content), "conll", {"pos": "tags"}, columns={"pos": 1},
                   schemes={"pos": "plain"})  # fmt: skip
    assert found == Example(("#", "1"), {"pos": ("SYM", "NUM")})


def test_comments_give_labels_as_in_xsid(write_rows: WriteRows) -> None:
    [found] = read(
        write_rows(XSID),
        "conll",
        {"intent": "label", "slots": "tags"},
        separator="tab",
        words=1,
        columns={"slots": 3},
    )
    labels = {"intent": "reminder/show_reminders", "slots": ("O", "B-reference", "O")}
    assert found == Example(("show", "all", "reminders"), labels)


def test_conllu_leaves_out_ranges_and_empty_nodes(write_rows: WriteRows) -> None:
    columns: dict[str, ColumnKind] = {"upos": "tags", "xpos": "tags", "genre": "label"}
    first = {"upos": ("AUX", "PART"), "xpos": ("VBP", "RB"), "genre": "weblog"}
    assert read(write_rows(CONLLU), "conllu", columns) == [
        Example(("do", "n't"), first),
        Example(("yes",), {"upos": ("INTJ",)}),
    ]


def test_spans_become_tags_as_in_restaurants_8k(write_rows: WriteRows) -> None:
    keys = {
        "text": "userInput.text",
        "spans": "labels",
        "start": "valueSpan.startIndex",
        "end": "valueSpan.endIndex",
        "label": "slot",
    }
    people = ("O", "O", "O", "B-people", "I-people", "I-people", "I-people", "I-people", "O")
    expected = [
        # The span ends in front of the full stop, so words end there, too.
        Example(
            ("There", "will", "be", "5", "adults", "and", "1", "child", "."), {"spans": people}
        ),
        Example(("Tonight", "at", "8"), {"spans": ("B-date", "O", "B-time")}),
        Example(("no", "thanks"), {"spans": ("O", "O")}),
    ]
    assert read(write_rows(RESTAURANT), "spans_json", {"spans": "tags"}, **keys) == expected
    lines = "\n".join(json.dumps(row) for row in RESTAURANT)
    assert read(write_rows(lines), "spans_json", {"spans": "tags"}, **keys) == expected


def test_spans_json_has_labels_of_sentences(write_rows: WriteRows) -> None:
    rows = [{"text": "a b", "meta": {"topic": 3}}, {"text": "c"}]
    found = read(write_rows(rows), "spans_json", {"meta.topic": "label"})
    assert [example.labels for example in found] == [{"meta.topic": "3"}, {}]


def test_squad_gives_question_context_and_answers(write_rows: WriteRows) -> None:
    found = read(write_rows(SQUAD), "squad", {"answers": "answers"})
    answers = (Answer("Vistula", 50), Answer("Vistula River", 50))
    words = ("On", "what", "river", "does", "it", "stand", "?")
    assert found == [
        Example(words, {"answers": answers}, second=CONTEXT),
        Example(("Who?",), {"answers": ()}, second=CONTEXT),
        Example(("Unlabelled?",), second=CONTEXT),
        Example(("Null?",), second=CONTEXT),
    ]
    assert all(CONTEXT[start : start + len(text)] == text for text, start in answers)


def test_clinc_takes_out_of_scope_rows_when_asked(write_rows: WriteRows) -> None:
    content = {
        "train": [["hi there", "greet"]],
        "val": [["bye", "leave"]],
        "oos_train": [["what", "oos"]],
        "oos_val": [["why", "oos"]],
    }
    path, columns = write_rows(content), {"intent": "label"}
    without = read(path, "clinc", columns, splits={"dev": "val", "test": None})  # type: ignore[arg-type]
    assert without == [Example(("hi", "there"), {"intent": "greet"})]
    both = read(path, "clinc", columns, splits={"test": None}, out_of_scope=True)  # type: ignore[arg-type]
    assert [example.labels["intent"] for example in both] == ["greet", "oos"]


def test_clinc_leaves_out_empty_texts_when_asked(write_rows: WriteRows) -> None:
    rows = [["hi", "greet"], [" ", "greet"]]
    path = write_rows({"train": rows, "val": rows})
    found = read(path, "clinc", {"intent": "label"}, splits={"test": None}, on_empty="skip")
    assert found == [Example(("hi",), {"intent": "greet"})]


def test_lines_skip_empty_ones(write_rows: WriteRows) -> None:
    found = read(write_rows("one two\n\n  \nthree\r\n"), "lines", {})
    assert [example.words for example in found] == [("one", "two"), ("three",)]


def test_schemes_are_of_columns_that_are_there() -> None:
    raw = {"kind": "conll", "splits": {"train": "a", "dev": "a"}, "columns": {"ner": 1}}
    message = r"schemes: there is no column 'nre'; columns: ner\. Did you mean 'ner'\?"
    with pytest.raises(ValidationError, match=message):
        SECTIONS.validate_python({**raw, "schemes": {"nre": "iob1"}})
