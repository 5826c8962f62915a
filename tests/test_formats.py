"""The formats of CoNLL, CoNLL-U, SQuAD, character spans, CLINC150 and plain lines, good and bad."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter, ValidationError
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB1, IOBES, Entities

from mtl_core.data.example import Answer, ColumnKind, Example
from mtl_core.data.readers import DatasetSection
from mtl_core.data.spans import CharSpan, Scheme, spans_to_tags, to_iob2
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

SECTIONS: TypeAdapter[DatasetSection] = TypeAdapter(DatasetSection)
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
CONLLU = """\
# sent_id = 1
# genre = weblog
1-2	don't	_	_	_	_	_	_	_	_
1	do	do	AUX	VBP	Mood=Ind	0	root	_	_
2	n't	not	PART	RB	_	1	advmod	_	_
2.1	go	go	VERB	VB	_	_	_	_	_

1	yes	yes	INTJ	_	_	0	root	_	_
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
CONTEXT = "Warsaw is the capital of Poland. It stands on the Vistula River."
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Warsaw",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "On what river does it stand ?",
                            "answers": [
                                {"text": "Vistula", "answer_start": 50},
                                {"text": "Vistula River", "answer_start": 50},
                            ],
                        },
                        {"id": "q2", "question": "Who?", "answers": [], "is_impossible": True},
                        {"id": "q3", "question": "Unlabelled?"},
                        {"id": "q4", "question": "Null?", "answers": None},
                    ],
                }
            ],
        }
    ],
}


def read(
    path: Path, kind: str, used: Mapping[str, ColumnKind], /, **settings: Any
) -> list[Example]:
    """Reads a file as train and dev; returns train."""
    where = {"path": path} if kind == "clinc" else {"splits": {"train": path, "dev": path}}
    section = SECTIONS.validate_python({"kind": kind, **where, **settings})
    splits = read_splits(section, used)
    if kind != "clinc":
        assert splits["train"] == splits["dev"]
    return splits["train"]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: object, name: str = "rows.txt") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
        return path

    return write


def test_columns_with_tabs_as_in_ewt(write: Any) -> None:
    found = read(
        write(EWT),
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


def test_iob1_as_in_wikigold(write: Any) -> None:
    found = read(
        write(WIKIGOLD),
        "conll",
        {"entities": "tags"},
        columns={"entities": 1},
        schemes={"entities": "iob1"},
        comment=None,
    )
    tags = ("B-MISC", "O", "B-MISC", "B-MISC", "B-ORG")
    assert [example.labels["entities"] for example in found] == [tags, ("O",)]
    assert found[1].words == ("#",)


def test_words_may_begin_with_the_sign_of_comments(write: Any) -> None:
    content = (
        "-DOCSTART-\n\n# source = tweets\n# all of May\n#worldcup B-event\nnow O\n\n"
        "# O\n1 O\n\n#fail O\n"
    )
    found = read(write(content), "conll", {"e": "tags", "source": "label"}, columns={"e": 1})
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
    write: Any, content: str, column: int
) -> None:
    columns: dict[str, ColumnKind] = {"ner": "tags", "sent_id": "label"}
    found = read(write(content), "conll", columns, columns={"ner": column})
    assert [example.words for example in found] == [("EU",), ("#1",)]
    assert found[0].labels["sent_id"] == "7"


def test_comments_give_labels_as_in_xsid(write: Any) -> None:
    [found] = read(
        write(XSID),
        "conll",
        {"intent": "label", "slots": "tags"},
        separator="tab",
        words=1,
        columns={"slots": 3},
    )
    labels = {"intent": "reminder/show_reminders", "slots": ("O", "B-reference", "O")}
    assert found == Example(("show", "all", "reminders"), labels)


def test_conllu_leaves_out_ranges_and_empty_nodes(write: Any) -> None:
    columns: dict[str, ColumnKind] = {"upos": "tags", "xpos": "tags", "genre": "label"}
    first = {"upos": ("AUX", "PART"), "xpos": ("VBP", "RB"), "genre": "weblog"}
    assert read(write(CONLLU), "conllu", columns) == [
        Example(("do", "n't"), first),
        Example(("yes",), {"upos": ("INTJ",)}),
    ]


def test_spans_become_tags_as_in_restaurants_8k(write: Any) -> None:
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
    assert read(write(RESTAURANT), "spans_json", {"spans": "tags"}, **keys) == expected
    lines = "\n".join(json.dumps(row) for row in RESTAURANT)
    assert read(write(lines), "spans_json", {"spans": "tags"}, **keys) == expected


def test_spans_json_has_labels_of_sentences(write: Any) -> None:
    rows = [{"text": "a b", "meta": {"topic": 3}}, {"text": "c"}]
    found = read(write(rows), "spans_json", {"meta.topic": "label"})
    assert [example.labels for example in found] == [{"meta.topic": "3"}, {}]


def test_squad_gives_question_context_and_answers(write: Any) -> None:
    found = read(write(SQUAD), "squad", {"answers": "answers"})
    answers = (Answer("Vistula", 50), Answer("Vistula River", 50))
    words = ("On", "what", "river", "does", "it", "stand", "?")
    assert found == [
        Example(words, {"answers": answers}, second=CONTEXT),
        Example(("Who?",), {"answers": ()}, second=CONTEXT),
        Example(("Unlabelled?",), second=CONTEXT),
        Example(("Null?",), second=CONTEXT),
    ]
    assert all(CONTEXT[start : start + len(text)] == text for text, start in answers)


def test_clinc_takes_out_of_scope_rows_when_asked(write: Any) -> None:
    content = {
        "train": [["hi there", "greet"]],
        "val": [["bye", "leave"]],
        "oos_train": [["what", "oos"]],
        "oos_val": [["why", "oos"]],
    }
    path, columns = write(content), {"intent": "label"}
    without = read(path, "clinc", columns, splits={"dev": "val", "test": None})  # type: ignore[arg-type]
    assert without == [Example(("hi", "there"), {"intent": "greet"})]
    both = read(path, "clinc", columns, splits={"test": None}, out_of_scope=True)  # type: ignore[arg-type]
    assert [example.labels["intent"] for example in both] == ["greet", "oos"]


def test_lines_skip_empty_ones(write: Any) -> None:
    found = read(write("one two\n\n  \nthree\r\n"), "lines", {})
    assert [example.words for example in found] == [("one", "two"), ("three",)]


def test_tables_hold_pairs_sets_numbers_and_features(write: Any) -> None:
    rows = "a b\tx y\tred, blue\t0.5\t1 2.5\nc\tz\t\t-3\t0 1\n"
    path = write(rows)
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


def test_answers_come_from_tables_as_the_hub_keeps_them(write: Any) -> None:
    context = "  Warsaw  is the capital. "  # spaces count
    row = {"question": "what is it ?", "context": context}
    answers = {"text": ["capital"], "answer_start": [17]}
    lines = [{**row, "answers": answers}, {**row, "answers": {"text": [], "answer_start": []}}]
    path = write("\n".join(json.dumps(line) for line in lines))
    columns: dict[str, ColumnKind] = {"answers": "answers"}
    found = read(path, "jsonl", columns, text="question", text_pair="context")
    assert [example.labels["answers"] for example in found] == [(Answer("capital", 17),), ()]
    assert all(example.second == context for example in found)
    wrong = write(json.dumps({**row, "answers": {"text": ["x"], "answer_start": [0]}}))
    with pytest.raises(DataError, match=r"row 1: column 'answers': the answer 'x' does not stand"):
        read(wrong, "jsonl", columns, text="question", text_pair="context")
    for bad in ({"text": ["a", "b"], "answer_start": [1]}, {"text": None, "answer_start": None}, 5):
        wrong = write(json.dumps({**row, "answers": bad}), "bad.jsonl")
        with pytest.raises(DataError, match=r"row 1: column 'answers': .*lists text and answer_st"):
            read(wrong, "jsonl", columns, text="question", text_pair="context")
    with pytest.raises(DataError, match=r"answers need `text_pair`, the column of the contexts"):
        read(path, "jsonl", columns, text="question")


def test_quotes_are_text_when_nothing_quotes(write: Any) -> None:
    path = write('label\ttext\npos\t"so" good\nneg\tbad "\n', "rows.tsv")
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


def test_an_empty_cell_is_an_empty_set_of_labels(write: Any) -> None:
    path = write("text,topics,topic\na,,\nb,x,y\n")
    found = read(path, "csv", {"topics": "labels", "topic": "label"})
    assert [example.labels for example in found] == [
        {"topics": ()}, {"topics": ("x",), "topic": "y"}
    ]  # fmt: skip


def test_cells_may_be_as_long_as_lines(write: Any) -> None:
    [found] = read(write(f"text,label\n{'word ' * 150_000},x\n"), "csv", {"label": "label"})
    assert len(found.words) == 150_000


def test_schemes_are_of_columns_that_are_there() -> None:
    raw = {"kind": "conll", "splits": {"train": "a", "dev": "a"}, "columns": {"ner": 1}}
    message = r"schemes: there is no column 'nre'; columns: ner\. Did you mean 'ner'\?"
    with pytest.raises(ValidationError, match=message):
        SECTIONS.validate_python({**raw, "schemes": {"nre": "iob1"}})


def test_an_empty_list_is_an_empty_set_of_labels(write: Any) -> None:
    path = write('{"text": "a", "topics": []}\n{"text": "b", "topics": ["x"]}\n{"text": "c"}\n')
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


LONG = "x" * 1_000_001
BAD: dict[str, tuple[str, object, Mapping[str, ColumnKind], dict[str, Any], str]] = {
    "conll width": (
        "conll", "a O\nb\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected 2 columns, as in the lines before, found 1",
    ),
    "conll place": (
        "conll", "a O\n", {"t": "tags"}, {"columns": {"t": 2}},
        r"rows\.txt:1: there is no column 2 for 't'; found 2 columns",
    ),
    "conll tag": (
        "conll", "a O\nb X-PER\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected a tag of iob2 \(O, I-TYPE, B-TYPE\), found 'X-PER'",
    ),
    "conll iobes tag": (
        "conll", "a O\nb S\n", {"t": "tags"}, {"columns": {"t": 1}, "schemes": {"t": "iobes"}},
        r"rows\.txt:2: expected a tag of iobes .*, found 'S'",
    ),
    "conll column": (
        "conll", "# mood = x\na O\n", {"mod": "label"}, {"columns": {"t": 1}},
        r"no column 'mod'; columns found: t, words, mood\. Did you mean 'mood'",
    ),
    "conll kind": (
        "conll", "a O\n", {"t": "label"}, {"columns": {"t": 1}},
        r"column 't' holds one tag per word, which",
    ),
    "conll encoding": (
        "conll", b"a O\nb\xff O\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: not UTF-8 text \(byte 0xff\)",
    ),
    "conll huge": (
        "conll", f"a O\n{LONG} O\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected lines of at most 1,000,000 characters, found 1,000,003",
    ),
    "conllu width": (
        "conllu", "1\ta\tb\n", {"upos": "tags"}, {},
        r"rows\.txt:1: expected the 10 columns of CoNLL-U, found 3",
    ),
    "conllu truncated": (
        "conllu", CONLLU[:-9], {"upos": "tags"}, {},
        r"rows\.txt:8: expected the 10 columns of CoNLL-U, found 8",
    ),
    "squad truncated": (
        "squad", json.dumps(SQUAD, indent=1)[:-40], {"answers": "answers"}, {},
        r"rows\.txt:\d+: not JSON: ",
    ),
    "squad keys": (
        "squad", {"data": [{"paragraphs": [{"qas": []}]}]}, {"answers": "answers"}, {},
        r"rows\.txt: data\[0\]\.paragraphs\[0\]: there is no key 'context'; found qas",
    ),
    "squad answer": (
        "squad",
        {"data": [{"paragraphs": [{"context": "abc", "qas": [
            {"id": "7", "question": "?", "answers": [{"text": "b", "answer_start": 0}]}]}]}]},
        {"answers": "answers"}, {},
        r"question '7': the answer 'b' does not stand at character 0 of the context; found 'a'",
    ),
    "squad answers": (
        "squad",
        {"data": [{"paragraphs": [{"context": "abc", "qas": [
            {"id": "7", "question": "?", "answers": 5}]}]}]},
        {"answers": "answers"}, {}, r"question '7': expected a list at 'answers', found 5",
    ),
    "squad list": ("squad", [], {"answers": "answers"}, {}, r"there is no key 'data'; found \[\]"),
    "spans outside": (
        "spans_json", [{"text": "a b", "spans": [{"start": 2, "end": 9, "label": "x"}]}],
        {"spans": "tags"}, {}, r"row 1: span 2-9 \(x\) is not inside the text of 3 characters",
    ),
    "spans overlap": (
        "spans_json",
        [{"text": "a b", "spans": [{"end": 3, "label": "x"}, {"end": 1, "label": "y"}]}],
        {"spans": "tags"}, {}, r"row 1: span 0-1 \(y\) takes the word 'a'.*overlaps: longest",
    ),
    "spans types": (
        "spans_json", [{"text": "a b", "spans": [{"start": "0", "end": 1, "label": "x"}]}],
        {"spans": "tags"}, {}, r"row 1: expected a whole number at 'start', found \"0\"",
    ),
    "spans list": (
        "spans_json", [{"text": "a b"}, {"text": "a", "spans": 5}], {"spans": "tags"}, {},
        r"rows\.txt: row 2: expected a list at 'spans', found 5",
    ),
    "spans text": (
        "spans_json", [{"txt": "a"}], {"spans": "tags"}, {},
        r"row 1: expected a string at 'text', found null",
    ),
    "spans line": (
        "spans_json", '{"text": "a"}\n{"text": \n', {"spans": "tags"}, {},
        r"rows\.txt:2: not JSON",
    ),
    "spans huge": (
        "spans_json", [{"text": LONG}], {"spans": "tags"}, {},
        r"row 1: expected a text of at most 1,000,000 characters, found 1,000,001",
    ),
    "spans key": (
        "spans_json", [{"text": "a"}], {"topic": "label"}, {},
        r"there is no key 'topic' in any row",
    ),
    "clinc row": (
        "clinc", {"train": [["a", "x"], ["b"]], "val": [], "test": []}, {"intent": "label"}, {},
        r"rows\.txt: train\[1\]: expected \[text, label\], found \[\"b\"\]",
    ),
    "clinc split": (
        "clinc", {"train": [["a", "x"]]}, {"intent": "label"}, {},
        r"rows\.txt: there is no key 'val'; found train",
    ),
    "clinc empty text": (
        "clinc", {"train": [[" ", "x"]]}, {"intent": "label"}, {},
        r"rows\.txt: train\[0\]: empty sentence",
    ),
    "lines column": ("lines", "a\n", {"x": "label"}, {}, r"no column 'x'; it has none"),
    "lines huge": ("lines", f"a\n{LONG}\n", {}, {}, r"rows\.txt:2: expected lines of at most"),
    "csv width": (
        "csv", "text,label\na,b\nc\n", {"label": "label"}, {},
        r"rows\.txt:3: expected 2 columns \(text, label\), found 1",
    ),
    "csv wide": (
        "csv", "text,label\na,b,c\n", {"label": "label"}, {},
        r"rows\.txt:2: expected 2 columns \(text, label\), found 3",
    ),
    "csv names": (
        "csv", "text,label,label\na,b,c\n", {"label": "label"}, {},
        r"rows\.txt: two columns are named 'label'; columns found: text, label, label",
    ),
    "csv truncated": (
        "csv", 'text,label\na,"b\n', {"label": "label"}, {},
        r"rows\.txt:2: not CSV: unexpected end",
    ),
    "csv huge": (
        "csv", f"text,label\n{LONG},b\n", {"label": "label"}, {},
        r"rows\.txt:2: expected lines of at most",
    ),
    "csv number": (
        "csv", "text,label\na,1\nb,one\n", {"label": "number"}, {},
        r"rows\.txt: row 2: column 'label': expected a number, found 'one'",
    ),
    "csv features": (
        "csv", "text,label,f\na,x,1 2\nb,y,1\n", {"label": "label"}, {"features": "f"},
        r"rows\.txt: row 2: expected 2 numbers in column 'f', as in the first row, found 1",
    ),
    "csv pair": (
        "csv", "text,label,p\na,x,\n", {"label": "label"}, {"text_pair": "p"},
        r"rows\.txt: row 1: empty sentence in column 'p'",
    ),
    "csv encoding": (
        "csv", b"text,label\na,\xe9\n", {"label": "label"}, {}, r"rows\.txt:2: not UTF-8",
    ),
    "jsonl truncated": (
        "jsonl", '{"text": "a", "label": "x"}\n{"text": "b', {"label": "label"}, {},
        r"rows\.txt:2: not JSON",
    ),
    "jsonl list": (
        "jsonl", '["a"]\n', {"label": "label"}, {}, r"rows\.txt:1: expected an object, found",
    ),
    "parquet truncated": (
        "parquet", b"PAR1 no", {"label": "label"}, {}, r"rows\.txt: cannot load the data: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_with_their_place(name: str, write: Any) -> None:
    kind, content, columns, settings, message = BAD[name]
    with pytest.raises(DataError, match=message):
        read(write(content), kind, columns, **settings)


@pytest.mark.parametrize(
    "kind", ["conll", "conllu", "lines", "csv", "jsonl", "squad", "spans_json", "clinc", "parquet"]
)
def test_an_empty_file_gives_no_rows_or_is_told(kind: str, write: Any) -> None:
    path = write("")
    if kind in ("conll", "conllu", "lines", "spans_json"):
        assert read(path, kind, {}) == []  # refused as an empty split, by its data set's name
        return
    with pytest.raises(DataError, match=r"rows\.txt"):
        read(path, kind, {})


@pytest.mark.parametrize("kind", ["conll", "conllu", "lines", "csv", "squad", "clinc"])
def test_a_missing_file_is_told(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: "):
        read(tmp_path / "none.txt", kind, {})
