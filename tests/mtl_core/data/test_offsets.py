"""Offsets in other units than characters, against the encodings of Python."""

import pytest

from mtl_core.data.formats.offsets import Offsets, char_range, check_quoted, trimmed

TEXT = "na\u00efve \U0001f600 \u65e5\u672c \u20ac5 \U0001f468\u200d\U0001f469 Oslo\r\nRome"


def sizes(piece: str) -> dict[Offsets, int]:
    """The length of a piece by the encoders that tools use."""
    utf16 = len(piece.encode("utf-16-le")) // 2
    return {"characters": len(piece), "utf16": utf16, "bytes": len(piece.encode())}


@pytest.mark.parametrize("offsets", ["characters", "utf16", "bytes"])
def test_every_piece_of_a_text_is_found_by_its_offsets(offsets: Offsets) -> None:
    for start in range(len(TEXT)):
        for end in range(start + 1, len(TEXT) + 1):
            counted = sizes(TEXT[:start])[offsets], sizes(TEXT[:end])[offsets]
            assert char_range(TEXT, *counted, offsets) == (start, end)
            check_quoted(TEXT, *counted, TEXT[start:end], offsets)


def test_halves_of_surrogate_pairs_count_as_one_unit() -> None:
    assert char_range("a\ud83d b", 3, 4, "utf16") == (3, 4)


@pytest.mark.parametrize(
    ("start", "end", "offsets", "message"),
    [
        (1, 2, "utf16", "ends inside of a character, counted in utf16"),
        (0, 3, "bytes", "ends inside of a character, counted in bytes"),
        (3, 3, "characters", "is empty"),
        (5, 3, "characters", "is not inside the text of 4 characters$"),
        (-2, 2, "bytes", "is not inside the text of 7 bytes$"),
        (0, 5, "characters", "is not inside the text of 4 characters; .* `offsets: utf16`$"),
        (0, 7, "utf16", "is not inside the text of 5 utf16; .* `offsets: bytes`$"),
        (0, 8, "bytes", "is not inside the text of 7 bytes$"),
    ],
)
def test_offsets_that_do_not_fit_are_told(
    start: int, end: int, offsets: Offsets, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        char_range("\U0001f600 at", start, end, offsets)


@pytest.mark.parametrize(
    ("start", "end", "quoted", "message"),
    [
        (5, 9, "Oslo", "is 'slo ' in the text, but 'Oslo' by itself; with `offsets: utf16` it is"),
        (9, 13, "Oslo", r"with `offsets: bytes` it is that"),
        (4, 7, "Oslo", "is 'Osl' .* the end has to be the character behind the span"),
        (6, 10, "Oslo", "is 'lo b' in the text, but 'Oslo' by itself; which begins at 4"),
        (4, 8, "Rome", "which stands nowhere in it"),
    ],
)
def test_a_span_that_is_not_its_own_text_is_told_with_what_would_be_right(
    start: int, end: int, quoted: str, message: str
) -> None:
    text = "\U0001f600\u00e9\u00e9 Oslo by the sea"
    with pytest.raises(ValueError, match=message):
        check_quoted(text, start, end, quoted, "characters")


@pytest.mark.parametrize("quoted", ["Oslo\r\nRome", "Oslo\\nRome", " Oslo Rome\n", "Oslo\nRome"])
def test_white_space_may_differ_from_what_a_tool_shows(quoted: str) -> None:
    start = TEXT.index("Oslo")
    check_quoted(TEXT, start, len(TEXT), quoted, "characters")


@pytest.mark.parametrize("piece", [" Oslo\u00a0", "Oslo", "\n Oslo by\t", " \n"])
def test_white_space_at_the_ends_of_a_piece_is_taken_off(piece: str) -> None:
    first, last = trimmed(f"in{piece}so", 2, 2 + len(piece))
    assert f"in{piece}so"[first:last] == (piece.strip() or piece)
