"""Spans of characters: which stay, the words that are cut for them, and the tags of these."""

import pytest
from formats import SECTIONS, WriteRows, read

from mtl_core.data.cutting import NO_TAG, cut_texts, found_cut, tags_of
from mtl_core.data.example import CharSpan, Example
from mtl_core.data.formats.spans import check_spans
from mtl_core.data.notes import DataNote
from mtl_core.data.splits import read_splits
from mtl_core.data.words import Cut, Words


def row(text: str, *spans: tuple[str, str]) -> Example:
    """A row whose spans are found by their texts."""
    found = tuple(
        CharSpan(text.index(part), text.index(part) + len(part), label) for part, label in spans
    )
    return Example(tuple(text.split()), text=text, spans={"spans": found})


def test_spans_and_tags_go_back_and_forth() -> None:
    text = " a  table for two , in Paris "
    spans = [CharSpan(14, 17, "people"), CharSpan(23, 28, "place"), CharSpan(4, 9, "thing")]
    assert [text[start:end] for start, end, _ in spans] == ["two", "Paris", "table"]
    tags, lost = tags_of(spans, Cut().places(text))
    assert tags == ("O", "B-thing", "O", "B-people", "O", "O", "B-place")
    assert lost == ()


def test_of_overlapping_spans_the_longest_stays_when_asked() -> None:
    spans = [CharSpan(2, 3, "b"), CharSpan(0, 3, "a"), CharSpan(4, 5, "c")]
    kept = check_spans("x y z", spans, overlaps="longest")
    assert kept == (CharSpan(0, 3, "a"), CharSpan(4, 5, "c"))
    with pytest.raises(ValueError, match=r"span 2-3 \(b\) overlaps span 0-3 \(a\); `overlaps"):
        check_spans("x y z", spans)
    # Neighbours within a word share no character.
    assert len(check_spans("7pm", [CharSpan(0, 1, "a"), CharSpan(1, 3, "b")])) == 2


@pytest.mark.parametrize("span", [(0, 9), (2, 2), (-1, 2), (3, 1)])
def test_a_span_has_to_stand_in_its_text(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"\(x\) is not inside the text of 3 characters"):
        check_spans("a b", [CharSpan(*span, "x")])


@pytest.mark.parametrize(
    ("text", "span", "fits"),
    [
        ("in Paris.", (3, 8), False),  # a full stop belongs to the word
        ("in Paris.", (3, 9), True),
        ("in  Paris", (2, 9), False),  # begins at white space
        ("in Paris", (0, 3), False),  # ends at white space
        ("in Paris", (2, 3), False),  # is white space
        ("in Paris", (0, 8), True),
        ("Parisian", (0, 5), False),
    ],
)
def test_a_span_fits_words_when_it_begins_and_ends_with_them(
    text: str, span: tuple[int, int], fits: bool
) -> None:
    places = Cut().places(text)
    tags, lost = tags_of([CharSpan(*span, "x")], places)
    assert (lost == ()) == fits
    for (first, last), tag in zip(places, tags, strict=True):
        touched = first < span[1] and last > span[0]
        # Words that it touches train nothing when it does not fit; all others are none of it.
        assert tag == ("O" if not touched else NO_TAG if not fits else tag)
        assert (tag[0] in "BI") == (touched and fits)


def test_two_spans_within_a_word_are_both_missed() -> None:
    spans = [CharSpan(0, 4, "a"), CharSpan(4, 6, "b"), CharSpan(7, 9, "c")]
    assert tags_of(spans, Cut().places("7:30pm on")) == ((NO_TAG, "B-c"), ("B-a", "B-b"))


CUTS: dict[Words, list[Example]] = {
    "whitespace": [row("a trip to Rome , a.m.", ("Rome", "x"), ("a.m.", "t")), row("it's")],
    "punctuation": [
        row("to Rome, a.m.", ("Rome", "x"), ("a.m.", "t")),
        row("Oslo.", ("Oslo", "x")),
    ],
    "characters": [row("서울에서 만나요", ("서울", "x")), row("at 7pm", ("7", "h"), ("pm", "t"))],
}


@pytest.mark.parametrize("words", CUTS)
def test_words_end_where_the_spans_of_train_do(words: Words) -> None:
    train = CUTS[words]
    cut = found_cut(train)
    assert cut == Cut(words)
    notes: list[DataNote] = []
    cut_rows = cut_texts({"train": train}, cut, notes)["train"]
    assert notes == []
    for before, after in zip(train, cut_rows, strict=True):
        assert after.misfits == 0
        assert "".join(after.words) == "".join(before.text.split())


def test_a_few_spans_inside_words_do_not_make_every_letter_a_word() -> None:
    train = [row("in Rome.", ("Rome", "x"))] * 3 + [row("the 7pm", ("7", "x"))]
    assert found_cut(train) == Cut("punctuation")


def test_spans_that_do_not_fit_are_counted_in_every_split() -> None:
    rows = [row("in Rome.", ("Rome", "x")), row("to Oslo", ("Oslo", "x"))]
    splits = {"train": rows * 10, "dev": rows[1:], "test": rows[1:] * 9 + rows[:1]}
    notes: list[DataNote] = []
    found = cut_texts(splits, Cut(), notes)
    assert [(note.split, note.count, note.of, note.level) for note in notes] == [
        ("train", 10, 20, "serious"),
        ("test", 1, 10, "warning"),
    ]
    assert notes[1].text.startswith("1 of 10 spans begin or end inside a word or at white space (")
    assert found["train"][0].labels == {"spans": ("O", NO_TAG, "B-x")}
    assert found["train"][0].misfits == 1


def test_texts_without_spans_keep_the_words_of_their_format() -> None:
    rows = [Example(("Leeds.",), {"c": "x"}, text="Leeds."), Example(("a,", "b"), text="a, b")]
    assert found_cut(rows) == Cut()
    assert cut_texts({"train": rows}, Cut("punctuation"))["train"] == rows


def test_types_of_spans_are_renamed_before_they_are_tags(write_rows: WriteRows) -> None:
    path = write_rows([{"text": "in Rome.", "spans": [{"start": 3, "end": 7, "label": "LOC "}]}])
    rules = {"strip": True, "map": {"LOC": "place"}}
    [found] = read(path, "spans_json", {"spans": "tags"}, labels=rules)
    assert found.labels == {"spans": ("O", "B-place", "O")}


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        ("whitespace", ("O", NO_TAG, "B-x")),
        ("punctuation", ("O", "B-x", "O")),
        ("characters", ("O", "O", "B-x", "I-x", "I-x", "I-x", "O")),
    ],
)
def test_the_setting_says_where_words_end(
    write_rows: WriteRows, words: Words, tags: tuple[str, ...]
) -> None:
    path = write_rows([{"text": "in Rome.", "spans": [{"start": 3, "end": 7, "label": "x"}]}])
    [found] = read(path, "spans_json", {"spans": "tags"}, words=words)
    assert found.labels == {"spans": tags}


def test_a_guess_is_noted() -> None:
    rows = [Example(("\u4eca\u5929", "\u4f1a", "\u4e0b\u96e8"))]
    notes: list[DataNote] = []
    cut_texts({"train": rows, "dev": rows}, found_cut(rows), notes)
    [note] = notes
    assert (note.split, note.topic, note.level) == ("train", "segmented", "hint")
    assert "guess" in note.text


def test_spans_that_overlap_longer_ones_are_left_out_and_counted(write_rows: WriteRows) -> None:
    parts = [{"start": 0, "end": 9, "label": "a"}, {"start": 4, "end": 9, "label": "b"}]
    path = write_rows([{"text": "New York.", "spans": parts}, {"text": "x", "spans": []}])
    raw = {"kind": "spans_json", "splits": {"train": str(path), "dev": str(path)}}
    section = SECTIONS.validate_python(raw | {"overlaps": "longest"})
    notes: list[DataNote] = []
    rows = read_splits(section, {"spans": "tags"}, notes)["train"]
    assert rows[0].spans == {"spans": (CharSpan(0, 9, "a"),)}
    assert [(note.split, note.topic, note.count, note.of) for note in notes] == [
        ("train", "overlaps", 1, 2),
        ("dev", "overlaps", 1, 2),
    ]
