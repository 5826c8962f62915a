"""The formats: CoNLL, CoNLL-U, SQuAD, character spans, CLINC150, plain lines and tables."""

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import CONLLU, CONTEXT, SECTIONS, SQUAD, WriteRows, read
from pydantic import ValidationError
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOBES, Entities

from mtl_core.data.example import Answer, ColumnKind, Example
from mtl_core.data.spans import CharSpan, Scheme, spans_to_tags, to_iob2
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

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
    people = ("O", "O", "O", "B-people", "I-people", "I-people", "I-people", "I-people")
    expected = [
        Example(("There", "will", "be", "5", "adults", "and", "1", "child."), {"spans": people}),
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


def test_lines_skip_empty_ones(write_rows: WriteRows) -> None:
    found = read(write_rows("one two\n\n  \nthree\r\n"), "lines", {})
    assert [example.words for example in found] == [("one", "two"), ("three",)]


def test_tables_hold_pairs_sets_numbers_and_features(write_rows: WriteRows) -> None:
    rows = "a b\tx y\tred, blue\t0.5\t1 2.5\nc\tz\t\t-3\t0 1\n"
    path = write_rows(rows)
    columns: dict[str, ColumnKind] = {"colours": "labels", "rating": "number"}
    section = SECTIONS.validate_python(
        {
            "kind": "csv",
            "delimiter": "\t",
            "columns": ["left", "right", "colours", "rating", "vector"],
            "text": "left",
            "text_pair": "right",
            "features": "vector",
            "splits": {"train": path, "dev": path},
        }
    )
    assert read_splits(section, columns)["train"] == [
        Example(("a", "b"), {"colours": ("red", "blue"), "rating": 0.5}, "x y", (1.0, 2.5)),
        Example(("c",), {"colours": (), "rating": -3.0}, "z", (0.0, 1.0)),
    ]


def test_answers_come_from_tables_as_the_hub_keeps_them(write_rows: WriteRows) -> None:
    context = "  Warsaw  is the capital. "  # spaces count
    row = {"question": "what is it ?", "context": context}
    answers = {"text": ["capital"], "answer_start": [17]}
    lines = [{**row, "answers": answers}, {**row, "answers": {"text": [], "answer_start": []}}]
    path = write_rows("\n".join(json.dumps(line) for line in lines))
    columns: dict[str, ColumnKind] = {"answers": "answers"}
    found = read(path, "jsonl", columns, text="question", text_pair="context")
    assert [example.labels["answers"] for example in found] == [(Answer("capital", 17),), ()]
    assert all(example.second == context for example in found)
    wrong = write_rows(json.dumps({**row, "answers": {"text": ["x"], "answer_start": [0]}}))
    with pytest.raises(DataError, match=r"row 1: column 'answers': the answer 'x' does not stand"):
        read(wrong, "jsonl", columns, text="question", text_pair="context")
    for bad in ({"text": ["a", "b"], "answer_start": [1]}, {"text": None, "answer_start": None}, 5):
        wrong = write_rows(json.dumps({**row, "answers": bad}), "bad.jsonl")
        with pytest.raises(DataError, match=r"row 1: column 'answers': .*lists text and answer_st"):
            read(wrong, "jsonl", columns, text="question", text_pair="context")
    with pytest.raises(DataError, match=r"answers need `text_pair`, the column of the contexts"):
        read(path, "jsonl", columns, text="question")


def test_quotes_are_text_when_nothing_quotes(write_rows: WriteRows) -> None:
    path = write_rows('label\ttext\npos\t"so" good\nneg\tbad "\n', "rows.tsv")
    found = read(path, "csv", {"label": "label"}, delimiter="\t", quote=None)
    assert [example.words for example in found] == [('"so"', "good"), ("bad", '"')]


def test_class_numbers_are_read_alike_as_integers_and_floats(tmp_path: Path) -> None:
    """A column of floats is what pandas makes of integers once a label is missing."""
    columns: dict[str, ColumnKind] = {"topic": "label", "topics": "labels", "rating": "number"}
    rows = {"text": ["a", "b"], "topic": [1, 2], "topics": [[1], [2]], "rating": [1, 2]}
    floats = {
        "text": ["a", "b", "c"],
        "topic": [1.0, 2.0, math.nan],
        "topics": [[1.0], [2.0], None],
        "rating": [1.0, 2.0, math.nan],
    }
    for name, content in (("whole", rows), ("floats", floats)):
        pq.write_table(pa.table(content), tmp_path / f"{name}.parquet")
    whole = read(tmp_path / "whole.parquet", "parquet", columns)
    *labelled, missing = read(tmp_path / "floats.parquet", "parquet", columns)
    assert labelled == whole
    assert whole[0].labels == {"topic": "1", "topics": ("1",), "rating": 1.0}
    assert missing.labels == {}


def test_an_empty_cell_is_an_empty_set_of_labels(write_rows: WriteRows) -> None:
    path = write_rows("text,topics,topic\na,,\nb,x,y\n")
    found = read(path, "csv", {"topics": "labels", "topic": "label"})
    assert [example.labels for example in found] == [
        {"topics": ()}, {"topics": ("x",), "topic": "y"}
    ]  # fmt: skip


def test_cells_may_be_as_long_as_lines(write_rows: WriteRows) -> None:
    [found] = read(write_rows(f"text,label\n{'word ' * 150_000},x\n"), "csv", {"label": "label"})
    assert len(found.words) == 150_000


def test_schemes_are_of_columns_that_are_there() -> None:
    raw = {"kind": "conll", "splits": {"train": "a", "dev": "a"}, "columns": {"ner": 1}}
    message = r"schemes: there is no column 'nre'; columns: ner\. Did you mean 'ner'\?"
    with pytest.raises(ValidationError, match=message):
        SECTIONS.validate_python({**raw, "schemes": {"nre": "iob1"}})


def test_an_empty_list_is_an_empty_set_of_labels(write_rows: WriteRows) -> None:
    path = write_rows(
        '{"text": "a", "topics": []}\n{"text": "b", "topics": ["x"]}\n{"text": "c"}\n'
    )
    found = read(path, "jsonl", {"topics": "labels"})
    assert [example.labels for example in found] == [{"topics": ()}, {"topics": ("x",)}, {}]


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
