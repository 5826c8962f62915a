"""Places in a text by the units that tools count: characters, units of UTF-16, bytes of UTF-8."""

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Literal, get_args

Offsets = Literal["characters", "utf16", "bytes"]
"""What offsets count: code points as in Python, units as in JavaScript and Java, or bytes."""


def char_range(text: str, start: int, end: int, offsets: Offsets) -> tuple[int, int]:
    """Returns the first character of a piece of a text, and the one behind it.

    Args:
        text: The text.
        start: Where the piece begins.
        end: Where it ends.
        offsets: What `start` and `end` count.

    Raises:
        ValueError: The piece is empty, ends inside of a character, or is not inside of the text.
    """
    places = _places(text, offsets)
    whole = next(reversed(places)) if isinstance(places, dict) else len(text)
    if start == end:
        raise ValueError("is empty")
    if not 0 <= start < end <= whole:
        raise ValueError(
            f"is not inside the text of {whole} {offsets}{_fitting(text, start, end, offsets)}"
        )
    if start not in places or end not in places:
        raise ValueError(f"ends inside of a character, counted in {offsets}")
    return places[start], places[end]


def check_quoted(text: str, start: int, end: int, quoted: str, offsets: Offsets) -> None:
    """Checks that a piece of a text is what its file says it is; white space may differ.

    Raises:
        ValueError: It is something else; the message says what would be right.
    """
    first, last = char_range(text, start, end, offsets)
    if _is_same(text[first:last], quoted):
        return
    hint = _reading(text, start, end, quoted, offsets)
    if not hint and _is_same(text[first : last + 1], quoted):
        hint = "the end has to be the character behind the span"
    if not hint:
        found = [match.start() for match in re.finditer(re.escape(quoted), text)]
        nearest = min(found, key=lambda place: abs(place - first), default=None)
        hint = "which stands nowhere in it" if nearest is None else f"which begins at {nearest}"
    raise ValueError(f"is '{text[first:last]}' in the text, but '{quoted}' by itself; {hint}")


def trimmed(text: str, first: int, last: int) -> tuple[int, int]:
    """Returns a piece of a text without white space at its ends; white space alone as it is."""
    piece = text[first:last]
    if not piece.strip():
        return first, last
    return last - len(piece.lstrip()), first + len(piece.rstrip())


@lru_cache(maxsize=1)  # the spans of a text are asked for one after the other
def _places(text: str, offsets: Offsets) -> range | Mapping[int, int]:
    """Returns offset -> number of the character that begins there, up to the end of the text."""
    if offsets == "characters" or text.isascii():
        return range(len(text) + 1)
    sizes = (_size(character, offsets) for character in text)
    return {offset: number for number, offset in enumerate(accumulate(sizes, initial=0))}


def _size(character: str, offsets: Offsets) -> int:
    # By hand: JSON may hold halves of surrogate pairs, which no codec of Python takes.
    code = ord(character)
    if offsets == "utf16":
        return 1 + (code > 0xFFFF)
    return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)


def _fitting(text: str, start: int, end: int, offsets: Offsets) -> str:
    """Returns what would make a piece fit into its text, as the end of an error."""
    for other in get_args(Offsets):
        size = sum(_size(character, other) for character in text)
        if other not in ("characters", offsets) and 0 <= start < end <= size:
            return f"; tools that count otherwise need `offsets: {other}`"
    return ""


def _reading(text: str, start: int, end: int, quoted: str, offsets: Offsets) -> str:
    """Returns the setting by which a piece is what its file says, or ""."""
    for other in (unit for unit in get_args(Offsets) if unit != offsets):
        try:
            first, last = char_range(text, start, end, other)
        except ValueError:
            continue
        if _is_same(text[first:last], quoted):
            return f"with `offsets: {other}` it is that"
    return ""


def _is_same(found: str, quoted: str) -> bool:
    # Label Studio writes line feeds as \n, backslash and all, and tools trim what they show.
    return found == quoted or _squeezed(found) == _squeezed(quoted)


def _squeezed(text: str) -> str:
    return "".join(text.replace("\\n", "\n").split())
