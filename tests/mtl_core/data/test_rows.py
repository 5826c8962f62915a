"""Reading rows: all bad rows are told at once, and halves of surrogate pairs are told of."""

import pickle

import pytest

from mtl_core.data.example import Answer, Example
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.formats.text_files import cut_words
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError


def whole(row: int, where: str) -> Example:
    if row % 2:
        raise DataError(f"{where}: {row} is odd")
    return Example((str(row),))


def test_all_bad_rows_are_told_at_once_the_first_ten_in_full() -> None:
    rows = [(f"f:{number}", number) for number in range(30)]
    with pytest.raises(DataError) as error:
        read_rows(rows, whole)
    expected = [f"f:{number}: {number} is odd" for number in range(1, 20, 2)]
    assert [*error.value.lines] == [*expected, "... and 5 more"]
    assert str(error.value) == "\n".join(error.value.lines)


def test_the_lines_of_an_error_travel_between_processes() -> None:
    assert pickle.loads(pickle.dumps(DataError("a\nb", "c"))).lines == ("a\nb", "c")


def test_what_is_wrong_with_every_row_alike_is_told_once() -> None:
    def refuse(row: int, where: str) -> Example:
        file, line = where.split(":")
        raise DataError(f"{file}:{int(line) + row % 2}: there is no column 2")

    rows = [(f"f:{3 * number}", number) for number in range(1, 1301)]
    with pytest.raises(DataError) as error:
        read_rows(rows, refuse)
    assert error.value.lines == ("f:4: there is no column 2 (so in all 1,300)",)


@pytest.mark.parametrize("good", [True, False])
def test_rows_that_differ_keep_a_line_each(good: bool) -> None:
    def refuse(row: int, where: str) -> Example:
        if row == 2 and good:
            return Example(("a",))
        raise DataError(f"{where}: {'odd' if row == 2 else 'even'}")

    with pytest.raises(DataError) as error:
        read_rows([("f:1", 1), ("f:2", 2), ("f:3", 3)], refuse)
    assert len(error.value.lines) == (2 if good else 3)


def test_one_bad_row_is_told_as_it_is() -> None:
    with pytest.raises(DataError) as error:
        read_rows([("f:1", 0), ("f:2", 1), ("f:3", 2)], whole)
    assert str(error.value) == "f:2: 1 is odd"


def test_good_rows_come_in_their_order() -> None:
    examples = read_rows([("f:1", 4), ("f:2", 2)], whole)
    assert [example.words for example in examples] == [("4",), ("2",)]


def test_an_error_that_ends_the_reading_is_told_behind_the_bad_rows() -> None:
    def rows() -> object:
        yield "f:1", 1
        raise DataError("f:2: cut off")

    with pytest.raises(DataError) as error:
        read_rows(rows(), whole)  # type: ignore[arg-type]
    assert str(error.value) == "f:1: 1 is odd\nf:2: cut off"


@pytest.mark.parametrize(
    "example",
    [
        Example(("nail", "\ud83d")),
        Example(("a",), second="\udcff"),
        Example(("a",), {"label": "x\ud83d"}),
        Example(("a",), {"tags": ("O", "B-\ude00")}),
    ],
    ids=["word", "second", "label", "tag"],
)
def test_half_a_surrogate_pair_is_told_with_its_row(example: Example) -> None:
    with pytest.raises(DataError, match=r"^f:7: expected text, found half a character \(\\u[de]"):
        read_rows([("f:7", example)], lambda row, _: row)


def test_whole_characters_are_text() -> None:
    labels = {"topic": "\u00e9", "n": 1.0, "answers": (Answer("\U0001f600", 0),)}
    example = Example(("\U0001f600",), labels, "\U0001f600")
    assert read_rows([("f:1", example)], lambda row, _: row) == [example]


def empty_or_whole(row: str, where: str) -> Example:
    return Example(cut_words(row, where))


def test_rows_with_an_empty_text_are_left_out_and_counted() -> None:
    notes = SplitNotes("dev")
    rows = [("f:1", "a"), ("f:2", " "), ("f:3", "b"), ("f:4", "")]
    found = read_rows(rows, empty_or_whole, on_empty="skip", notes=notes)
    assert [row.words for row in found] == [("a",), ("b",)]
    [note] = notes.found
    assert (note.split, note.topic, note.count, note.of) == ("dev", "empty", 2, 4)
    assert note.text == "2 of 4 rows have an empty text and are left out"


def test_a_row_with_an_empty_text_is_an_error_that_names_the_setting() -> None:
    rows = [("f:1", "a"), ("f:2", " ")]
    message = r"^f:2: empty sentence; `on_empty: skip` leaves such rows out$"
    with pytest.raises(DataError, match=message):
        read_rows(rows, empty_or_whole, on_empty="error")
    with pytest.raises(DataError, match=r"^f:2: empty sentence$"):  # there is no such setting
        read_rows(rows, empty_or_whole)
