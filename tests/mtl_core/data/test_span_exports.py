"""Spans as annotation tools export them, each layout written by hand from the tool's documents."""

import json
from typing import Any

import pytest
from formats import SECTIONS, WriteRows, read

from mtl_core.data.cutting import cut_texts
from mtl_core.data.example import ColumnKind, Example
from mtl_core.data.notes import DataNote
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

SPANS: dict[str, ColumnKind] = {"spans": "tags"}
TEXTS = ["Ada met Bob in New York today", "nobody was here", "Oslo waits"]
# As (text, span, type), and no offsets, which the tests take from the texts.
GOLD = [[("Ada", "PER"), ("Bob", "PER"), ("New York", "LOC")], [], [("Oslo", "LOC")]]
EXPECTED = [
    Example(
        ("Ada", "met", "Bob", "in", "New", "York", "today"),
        {"spans": ("B-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "O")},
    ),
    Example(("nobody", "was", "here"), {"spans": ("O", "O", "O")}),
    Example(("Oslo", "waits"), {"spans": ("B-LOC", "O")}),
]


def places(number: int) -> list[tuple[int, int, str]]:
    """Start, end and type of the spans of a text."""
    text = TEXTS[number]
    return [(text.index(span), text.index(span) + len(span), kind) for span, kind in GOLD[number]]


def task(number: int, **more: Any) -> dict[str, Any]:
    """A task of Label Studio, exported as JSON."""
    result = [
        {"value": {"start": start, "end": end, "text": TEXTS[number][start:end], "labels": [kind]},
         "id": f"r{start}", "from_name": "label", "to_name": "text", "type": "labels"}
        for start, end, kind in places(number)
    ]  # fmt: skip
    annotation = {"id": 7, "completed_by": 1, "was_cancelled": False, "result": result, **more}
    return {"id": number, "data": {"text": TEXTS[number]}, "annotations": [annotation],
            "predictions": [{"result": []}]}  # fmt: skip


def lines(rows: list[Any]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


DOCCANO = [{"id": n, "text": TEXTS[n], "label": [list(place) for place in places(n)]}
           for n in range(3)]  # fmt: skip
DOCCANO_RELATIONS = [
    {"id": n, "text": TEXTS[n], "relations": [], "Comments": [], "entities": [
        {"id": 5, "label": kind, "start_offset": start, "end_offset": end}
        for start, end, kind in places(n)]}
    for n in range(3)
]  # fmt: skip
SPACY = [[TEXTS[n], {"entities": [list(place) for place in places(n)]}] for n in range(3)]
PRODIGY = [
    {"text": TEXTS[n], "_input_hash": n, "_task_hash": n, "answer": "accept", "tokens": [],
     "spans": [{"start": start, "end": end, "label": kind, "token_start": 0}
               for start, end, kind in places(n)]}
    for n in range(3)
]  # fmt: skip
JSON_MIN = [
    {"id": n, "text": TEXTS[n], "annotator": 1, "label": [
        {"start": start, "end": end, "text": TEXTS[n][start:end], "labels": [kind]}
        for start, end, kind in places(n)]}
    for n in range(3)
]  # fmt: skip
LABEL_STUDIO = [task(0), task(1), task(2)]


@pytest.mark.parametrize(
    "content",
    [
        lines(DOCCANO),
        lines([{**row, "labels": row["label"], "label": None} for row in DOCCANO]),
        lines(DOCCANO_RELATIONS),
        SPACY,
        lines(SPACY),
        {"classes": ["PER", "LOC"], "annotations": [*SPACY, None]},
        lines(PRODIGY),
        lines([*PRODIGY, {**PRODIGY[0], "answer": "reject"}, {**PRODIGY[0], "answer": "ignore"}]),
        JSON_MIN,
        lines(JSON_MIN),
        LABEL_STUDIO,
        lines(LABEL_STUDIO),
        [{"completions" if key == "annotations" else key: value for key, value in row.items()}
         for row in LABEL_STUDIO],
        {"rows": DOCCANO},
    ],
    ids=["doccano", "doccano labels", "doccano relations", "spaCy", "spaCy lines", "NER Annotator",
         "Prodigy", "Prodigy rejected", "JSON-MIN", "JSON-MIN lines", "Label Studio",
         "Label Studio lines", "Label Studio completions", "rows in an object"],
)  # fmt: skip
def test_exports_are_read_as_they_are(write_rows: WriteRows, content: Any) -> None:
    assert read(write_rows(content), "spans_json", SPANS) == EXPECTED


def test_a_single_row_is_a_row(write_rows: WriteRows) -> None:
    for row in (DOCCANO[0], SPACY[0], LABEL_STUDIO[0], JSON_MIN[0]):
        assert read(write_rows(row), "spans_json", SPANS) == EXPECTED[:1]


def notes_of(path: Any, columns: dict[str, ColumnKind] = SPANS) -> list[DataNote]:
    notes: list[DataNote] = []
    raw = {"kind": "spans_json", "splits": {"train": path, "dev": path}}
    read_splits(SECTIONS.validate_python(raw), columns, notes)
    return [note for note in notes if note.split == "train"]


def test_annotations_that_do_not_stand_are_left_out(write_rows: WriteRows) -> None:
    skipped = task(0, was_cancelled=True)
    untouched = {**task(1), "annotations": []}
    two = task(2)
    two["annotations"].append({"result": [], "was_cancelled": False, "ground_truth": True})
    other = task(0)
    other["annotations"].insert(0, {"result": [], "was_cancelled": True})
    path = write_rows([skipped, untouched, two, other])
    found = read(path, "spans_json", SPANS)
    assert found == [Example(("Oslo", "waits"), {"spans": ("O", "O")}), EXPECTED[0]]
    said = [(note.count, note.of, note.text.partition("tasks ")[2][:12]) for note in notes_of(path)]
    assert said == [(2, 4, "have no anno"), (1, 4, "have several")]


def test_choices_and_controls_of_label_studio_are_columns(write_rows: WriteRows) -> None:
    row = task(0)
    row["data"] |= {"source": "mail"}
    row["annotations"][0]["result"] += [
        {"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["good"]}},
        {"from_name": "topics", "type": "choices", "value": {"choices": ["a, b", "c"]}},
        {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 4}},
        {"from_name": "terms", "to_name": "text", "type": "labels",
         "value": {"start": 4, "end": 7, "text": "met", "labels": ["VERB"]}},
        {"from_name": "sure", "to_name": "text", "type": "choices",
         "value": {"start": 4, "end": 7, "text": "met", "choices": ["no"]}},
        {"type": "relation", "from_id": "r0", "to_id": "r8", "direction": "right"},
    ]  # fmt: skip
    columns: dict[str, ColumnKind] = {**SPANS, "mood": "label", "topics": "labels",
                                      "stars": "number", "source": "label"}  # fmt: skip
    [found] = read(write_rows([row]), "spans_json", columns, spans="terms")
    assert found.labels == {
        "spans": ("O", "B-VERB", "O", "O", "O", "O", "O"),
        "mood": "good", "topics": ("a, b", "c"), "stars": 4.0, "source": "mail",
    }  # fmt: skip
    [found] = read(write_rows([row]), "spans_json", SPANS)
    assert found.labels["spans"] == ("B-PER", "B-VERB", "B-PER", "O", "B-LOC", "I-LOC", "O")


def test_regions_without_a_label_are_noted(write_rows: WriteRows) -> None:
    row = task(0)
    del row["annotations"][0]["result"][1]["value"]["labels"]
    path = write_rows([row])
    [found] = read(path, "spans_json", SPANS)
    assert found.labels["spans"] == ("B-PER", "O", "O", "O", "B-LOC", "I-LOC", "O")
    assert [note.text for note in notes_of(path)] == [
        "1 of 3 spans have no label, and are left out"
    ]


@pytest.mark.parametrize(
    ("value", "one", "several"),
    [
        ({"POS": 1.0, "NEG": 0.0}, "POS", ("POS",)),  # cats of spaCy
        ({"POS": False, "NEG": True}, "NEG", ("NEG",)),
        ({"choices": ["x"]}, "x", ("x",)),
        (["x"], "x", ("x",)),  # doccano
        ("a, b", "a, b", ("a, b",)),
        (3, "3", ("3",)),
        ({"POS": 1, "NEG": 0.9}, None, ("POS", "NEG")),
        ({"POS": 0, "NEG": 0}, None, ()),
    ],
)
def test_labels_of_texts(
    write_rows: WriteRows, value: Any, one: str | None, several: tuple[str, ...]
) -> None:
    path = write_rows([["a b", {"cats": value}]])
    [found] = read(path, "spans_json", {"cats": "labels"})
    assert found.labels == {"cats": several}
    if one is None:
        with pytest.raises(DataError, match=r"row 1: 'cats': expected one label, found \["):
            read(path, "spans_json", {"cats": "label"})
    else:
        [found] = read(path, "spans_json", {"cats": "label"})
        assert found.labels == {"cats": one}


def test_several_labels_of_a_span_are_several_spans(write_rows: WriteRows) -> None:
    content = [{"text": "a b", "label": [{"start": 0, "end": 1, "labels": ["X", "Y"]}]}]
    with pytest.raises(DataError, match=r"span 0-1 \(Y\) overlaps span 0-1 \(X\); `over"):
        read(write_rows(content), "spans_json", SPANS)
    [found] = read(write_rows(content), "spans_json", SPANS, overlaps="longest")
    assert found.labels["spans"] == ("B-X", "O")


def test_white_space_at_the_ends_of_spans_is_taken_off_when_asked(write_rows: WriteRows) -> None:
    rows = [{"text": "in New York now", "label": [[2, 12, "LOC"]]}]
    path = write_rows(rows)
    [found] = read(path, "spans_json", SPANS, trim=True)
    assert found.labels["spans"] == ("O", "B-LOC", "I-LOC", "O")
    assert found.misfits == 0
    notes: list[DataNote] = []
    raw = {"kind": "spans_json", "splits": {"train": path, "dev": path}}
    section = SECTIONS.validate_python(raw)
    splits = read_splits(section, SPANS)
    cut_texts(splits, section.word_cut(splits["train"]), notes)
    assert notes[0].text.endswith("`trim: true` takes white space off the ends of 1 of them")


def test_offsets_of_javascript(write_rows: WriteRows) -> None:
    text = "\U0001f4a9This is an annotation."
    start = len(text[: text.index("annotation")].encode("utf-16-le")) // 2
    span = {"start": start, "end": start + 10, "labels": ["A"]}
    path = write_rows([{"text": text, "label": [{**span, "text": "annotation"}]}])
    with pytest.raises(DataError, match=r"span 13-23 \(A\) is 'nnotation\.' in the text, but "
                       "'annotation' by itself; with `offsets: utf16` it is that"):  # fmt: skip
        read(path, "spans_json", SPANS)
    [found] = read(path, "spans_json", SPANS, offsets="utf16")
    assert found.labels["spans"] == ("O", "O", "O", "B-A", "O")


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "key of a native export": (
        LABEL_STUDIO,
        {"text": "data.text", "spans": "annotations.result", "start": "value.start"},
        r"rows\.txt: there is no key 'annotations\.result' in any row; a list stands at "
        r"'annotations', .*; keys found: .* An export of Label Studio needs none of `spans`",
    ),
    "spans key": (
        DOCCANO, {"spans": "lables"},
        r"no key 'lables' in any row; keys found: id, text, label\. Did you mean 'label'\?",
    ),
    "no spans": (
        [{"text": "a", "topics": ["x"]}], {},
        r"no key 'spans' in any row; keys found: text, topics\. `spans: KEY` names another than",
    ),
    "start key": (
        [{"text": "a b", "spans": [{"begin": 2, "end": 3, "label": "X"}]}], {},
        r"no key 'start' in any span at 'spans'; keys found: begin, end, label\. `start: KEY`",
    ),
    "end key": (
        [{"text": "a b", "spans": [{"start": 0, "ende": 1, "label": "X"}]}], {},
        r"no key 'end' in any span at 'spans'; keys .*\. Did you mean 'ende'\?",
    ),
    "label key": (
        [{"text": "a b", "spans": [{"start": 0, "end": 1, "label": "X"}]}], {"label": "type"},
        r"no key 'type' in any span at 'spans'; keys found: start, end, label",
    ),
    "order": (
        [["a b", {"entities": [["X", 0, 1]]}]], {},
        r"row 1: expected a span \[start, end, label\], found \[\"X\", 0, 1\]",
    ),
    "no span": (
        [{"text": "a b", "spans": [[0, 1, "X"]]}, {"text": "a", "spans": ["X"]}], {},
        r"row 2: expected an object or a list for a span, found \"X\"",
    ),
    "type": (
        [{"text": "a b", "spans": [{"start": 0, "end": 1, "label": {"id": 1}}]}], {},
        r"row 1: expected a string at 'label', found \{\"id\": 1\}",
    ),
    "HTML": (
        [{"text": "a b", "label": [{"start": "/p[1]", "end": "/p[1]", "labels": ["X"]}]}], {},
        r"row 1: expected a whole number at 'start', found \"/p\[1\]\"",
    ),
    "outside": (
        [{"text": "\U0001f600 a", "spans": [[2, 4, "X"]]}], {},
        r"row 1: span 2-4 \(X\) is not inside the text of 3 characters; .*`offsets: utf16`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_found_is_told_with_what_is_there(write_rows: WriteRows, name: str) -> None:
    content, settings, message = BAD[name]
    with pytest.raises(DataError, match=message):
        read(write_rows(content), "spans_json", SPANS, **settings)


def test_a_label_that_no_row_has_is_told_with_the_keys(write_rows: WriteRows) -> None:
    rows = [{"text": "a", "meta": {"topic": "x"}, "ids": [1]}]
    for column, message in {
        "mood": r"no key 'mood' in any row; keys found: text, meta\.topic, ids\.$",
        "meta.topics": r"\. Did you mean 'meta\.topic'\?",
        "ids.0": "a list stands at 'ids', and keys lead through objects alone",
    }.items():
        with pytest.raises(DataError, match=message):
            read(write_rows(rows), "spans_json", {column: "label"})


def test_all_bad_rows_are_told(write_rows: WriteRows) -> None:
    rows = [{"text": "a", "label": [[0, end, "X"]]} for end in (1, 2, 1, 3)]
    with pytest.raises(DataError) as error:
        read(write_rows(lines(rows)), "spans_json", SPANS)
    places = [line.partition("rows.txt:")[2].partition(":")[0] for line in error.value.lines]
    assert places == ["2", "4"]
