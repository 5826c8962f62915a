"""Every format against broken files: errors name file and line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from formats import CONLLU, SQUAD, WriteRows, read

from mtl_core.data.example import ColumnKind
from mtl_core.errors import DataError

LONG = "x" * 1_000_001
BAD: dict[str, tuple[str, object, Mapping[str, ColumnKind], dict[str, Any], str]] = {
    "conll width": (
        "conll", "a O\nb\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected 2 columns, as in the lines before, found 1",
    ),
    "conll place": (
        "conll", "a O\n", {"t": "tags"}, {"columns": {"t": 2}},
        r"rows\.txt:1: there is no column 2 for 't'; its line has 2 columns, 0 and 1",
    ),
    "conll tag": (
        "conll", "a O\nb X-PER\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected a tag of iob2 \(O, I-TYPE, B-TYPE\), found 'X-PER'",
    ),
    "conll iobes tag": (
        "conll", "a O\nb S-\n", {"t": "tags"}, {"columns": {"t": 1}, "schemes": {"t": "iobes"}},
        r"rows\.txt:2: expected a tag of iobes .*, found 'S-'",
    ),
    "conll column": (
        "conll", "# mood = x\na O\n", {"mod": "label"}, {"columns": {"t": 1}},
        r"no column 'mod'; columns found: mood, t, words\. Did you mean 'mood'",
    ),
    "conll no column": (
        "conll", "a O\n", {"t": "tags", "ner": "tags"}, {"columns": {"t": 1}},
        r"no column 'ner'; columns found: t, words\. `columns: {ner: NUMBER}` gives the number",
    ),
    "conll blank in a word": (
        "conll", "a\tO\nNew York\tB-LOC\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected 2 columns, .*, found 3; with `separator: tab` it has 2$",
    ),
    "conll no tabs": (
        "conll", "a O\n", {"t": "tags"}, {"columns": {"t": 1}, "separator": "tab"},
        r"rows\.txt:1: there is no column 1 .* 1 column, 0; .*`separator: whitespace` it has 2$",
    ),
    "conll commas": (
        "conll", "a,DT,O\n", {"t": "tags"}, {"columns": {"t": -2}},
        r"rows\.txt:1: there is no column -2 for 't'; .* with `separator: comma` it has 3$",
    ),
    "conll no word": (
        "conll", "a\tO\n\tO\n", {"t": "tags"}, {"columns": {"t": 1}, "separator": "tab"},
        r"rows\.txt:2: there is no word",
    ),
    "conll kind": (
        "conll", "a O\n", {"t": "label"}, {"columns": {"t": 1}},
        r"column 't' holds one tag per word, which",
    ),
    "conll encoding": (
        "conll", b"a O\nb\xff O\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: not UTF-8 text \(byte 0xff\)",
    ),
    "conll encoding behind a byte-order mark": (
        "conll", b"\xef\xbb\xbfa O\n\xff O\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: not UTF-8 text \(byte 0xff\)",
    ),
    "conll huge": (
        "conll", f"a O\n{LONG} O\n", {"t": "tags"}, {"columns": {"t": 1}},
        r"rows\.txt:2: expected lines of at most 1,000,000 characters, found 1,000,003",
    ),
    "conllu width": (
        "conllu", "1\ta\tb\n", {"upos": "tags"}, {},
        r"rows\.txt:1: expected the 10 columns of CoNLL-U .*, found 3; `kind: conll` reads other",
    ),
    "conllu truncated": (
        "conllu", CONLLU[:-9], {"upos": "tags"}, {},
        r"rows\.txt:8: expected the 10 columns of CoNLL-U .*, found 8",
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
        r"question '7', 'answers': the answer 'b' does not stand at character 0 of the context; "
        r"found 'a', and the answer stands nearest at character 1",
    ),
    "squad answers": (
        "squad",
        {"data": [{"paragraphs": [{"context": "abc", "qas": [
            {"id": "7", "question": "?", "answers": 5}]}]}]},
        {"answers": "answers"}, {}, r"question '7', 'answers': expected a list of .*; found 5",
    ),
    "squad list": (
        "squad", [5], {"answers": "answers"}, {}, r"row 1: there is no key 'data'; found 5"
    ),
    "squad object": (
        "squad", {"date": []}, {"answers": "answers"}, {},
        r"rows\.txt:1: there is no key 'data'; found date\. Did you mean 'date'\?",
    ),
    "squad question": (
        "squad", {"data": [{"paragraphs": [{"context": "abc", "qas": [5, {"answers": []}]}]}]},
        {"answers": "answers"}, {},
        r"data\[0\]\.paragraphs\[0\]\.qas\[0\]: there is no key 'question'; found 5",
    ),
    "squad start": (
        "squad", [{"question": "?", "context": "abc", "answers": [{"text": "b"}]}],
        {"answers": "answers"}, {},
        r"row 1, 'answers': expected a list of objects with text and answer_start, .* found \[\{'t",
    ),
    "squad names": (
        "squad", '{"question": "?", "passage": "abc"}', {"answers": "answers"}, {},
        r":1: there is no key 'context'; found question, passage\. `kind: jsonl` takes other names",
    ),
    "squad no answers": (
        "squad", [{"question": "?", "context": "abc", "answer": "b"}], {"answers": "answers"}, {},
        r"no question has the key 'answers'; found question, context, answer\. .*'answer'\?",
    ),
    "spans outside": (
        "spans_json", [{"text": "a b", "spans": [{"start": 2, "end": 9, "label": "x"}]}],
        {"spans": "tags"}, {}, r"row 1: span 2-9 \(x\) is not inside the text of 3 characters",
    ),
    "spans overlap": (
        "spans_json",
        [{"text": "a b", "spans": [[0, 3, "x"], [0, 1, "y"]]}],
        {"spans": "tags"}, {}, r"row 1: span 0-1 \(y\) overlaps span 0-3 \(x\); .*longest",
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
        "spans_json", [{"txt": "a"}, {"txt": "b"}], {}, {},
        r"rows\.txt: there is no key 'text' in any row; keys found: txt\. Did you mean 'txt'\? "
        r"`text: KEY` says where",
    ),
    "spans null": (
        "spans_json", [{"text": None}], {}, {}, r"rows\.txt: every row has null at 'text'",
    ),
    "spans one text": (
        "spans_json", [{"text": "a"}, {}], {}, {}, r"row 2: expected a string at 'text', found",
    ),
    "spans line": (
        "spans_json", '{"text": "a"}\n{"text": \n', {"spans": "tags"}, {},
        r"rows\.txt:2: not JSON",
    ),
    "spans huge": (
        "spans_json", [{"text": LONG}], {}, {},
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
    "clinc object": (
        "clinc", {"train": [{"text": "a"}], "val": []}, {"intent": "label"}, {},
        r"train\[0\]: expected \[text, label\], found .*; `kind: jsonl` reads objects",
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
        r"rows\.txt:2: not CSV: field larger than field limit \(1000000\)",
    ),
    "csv number": (
        "csv", "text,label\na,1\nb,one\n", {"label": "number"}, {},
        r"rows\.txt:3: column 'label': expected a number, found 'one'",
    ),
    "csv features": (
        "csv", "text,label,f\na,x,1 2\nb,y,1\n", {"label": "label"}, {"features": "f"},
        r"rows\.txt:3: expected 2 numbers in column 'f', as in the rows before, found 1",
    ),
    "csv pair": (
        "csv", "text,label,p\na,x,\n", {"label": "label"}, {"text_pair": "p"},
        r"rows\.txt:2: empty sentence in column 'p'; `on_empty: skip` leaves such rows out",
    ),
    "csv encoding": (
        "csv", b"text,label\na,\xe9\n", {"label": "label"}, {}, r"rows\.txt:2: not UTF-8",
    ),
    "jsonl truncated": (
        "jsonl", '{"text": "a", "label": "x"}\n{"text": "b', {"label": "label"}, {},
        r"rows\.txt:2: not JSON",
    ),
    "jsonl list": (
        "jsonl", '["a"]\n["b"]\n', {"label": "label"}, {},
        r"rows\.txt:1: expected an object, found",
    ),
    "parquet truncated": (
        "parquet", b"PAR1 no", {"label": "label"}, {}, r"rows\.txt: not a Parquet file: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_with_their_place(name: str, write_rows: WriteRows) -> None:
    kind, content, columns, settings, message = BAD[name]
    with pytest.raises(DataError, match=message):
        read(write_rows(content), kind, columns, **settings)


@pytest.mark.parametrize(
    "kind", ["conll", "conllu", "lines", "csv", "jsonl", "squad", "spans_json", "clinc", "parquet"]
)
def test_an_empty_file_gives_no_rows_or_is_told(kind: str, write_rows: WriteRows) -> None:
    path = write_rows("")
    if kind in ("conll", "conllu", "lines", "spans_json", "squad"):
        assert read(path, kind, {}) == []  # refused as an empty split, by its data set's name
        return
    with pytest.raises(DataError, match=r"rows\.txt"):
        read(path, kind, {})


@pytest.mark.parametrize("kind", ["conll", "conllu", "lines", "csv", "squad", "clinc"])
def test_a_missing_file_is_told(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: "):
        read(tmp_path / "none.txt", kind, {})
