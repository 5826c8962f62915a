"""Reading text files, compressed or not, with errors that name the file and the line."""

import codecs
import json
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from mtl_core.data.formats.compressed import read_bytes
from mtl_core.errors import DataError

LONGEST = 1_000_000
"""Characters; a longer line is no sentence but a file in another format."""


_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order mark -> encoding; those of UTF-32 first, as they begin like one of UTF-16."""


def _check_encoding(name: str) -> str:
    try:
        "a".encode(name)
    # A LookupError also of those that turn bytes into bytes, such as `base64`.
    except (LookupError, ValueError):
        raise ValueError(
            f"expected an encoding such as utf-8, cp1252, latin-1 or shift_jis, found '{name}'"
        ) from None
    return name


Encoding = Annotated[str, AfterValidator(_check_encoding)]
"""How a text file is written; a byte-order mark in the file says so by itself."""


class EmptyTextError(DataError):
    """A row has a text without words; a setting may leave such rows out."""


def marked_encoding(content: bytes) -> str | None:
    """Returns the encoding that a byte-order mark at the start names, None = there is no mark."""
    return next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)


def read_text(path: Path, encoding: str | None = None) -> str:
    """Returns the text of a file; a byte-order mark at its start is dropped.

    Args:
        path: The file.
        encoding: How it is written where it has no byte-order mark; None = as UTF-8, and there is
            no setting for another.

    Raises:
        DataError: The file is missing, unreadable or not in the encoding.
    """
    return _decode(read_bytes(path), str(path), encoding)


def read_lines(path: Path, encoding: str | None = None) -> list[str]:
    """Returns the lines of a file; see `read_text` and `split_lines`.

    Raises:
        DataError: The file is missing, unreadable or not in the encoding, or a line is too long.
    """
    return split_lines(read_text(path, encoding), str(path))


def lines_of(content: bytes, where: str) -> list[str]:
    """Returns the lines of UTF-8 text; see `split_lines`.

    Raises:
        DataError: The text is not UTF-8, or a line is too long.
    """
    return split_lines(_decode(content, where, None), where)


def split_lines(text: str, where: str) -> list[str]:
    """Returns the lines of a text, without line ends.

    Only line feeds end a line: `str.splitlines` would also cut at U+2028 and its like, which stand
    in real sentences, and the files of a split would no longer match. Carriage returns alone end
    the lines of a file that has no line feed, as old tools wrote them.

    Raises:
        DataError: A line is too long.
    """
    lines = text.split("\n" if "\n" in text else "\r")
    # What stands behind the last line feed is no line, unless there is something.
    if lines[-1] == "":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST:
            raise DataError(
                f"{where}:{number}: expected lines of at most {LONGEST:,} characters, found "
                f"{len(line):,}"
            )
    return [line.removesuffix("\r") for line in lines]


def _decode(content: bytes, where: str, encoding: str | None) -> str:
    try:
        return content.decode(marked_encoding(content) or encoding or "utf-8")
    except UnicodeDecodeError as error:
        # Not in `content`: a byte-order mark has been taken off where the error counts.
        line = error.object.count(b"\n", 0, error.start) + 1
        found, name = error.object[error.start], (encoding or "utf-8").upper()
        other = (
            "" if encoding is None else ", or name its encoding: `encoding: cp1252`, for example"
        )
        raise DataError(
            f"{where}:{line}: not {name} text (byte 0x{found:02x}); save it as UTF-8{other}"
        ) from error


def read_json(path: Path) -> Any:
    """Returns what a UTF-8 JSON file holds.

    Raises:
        DataError: The file is missing, unreadable, not UTF-8 or not JSON.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str, line: int | None = None) -> Any:
    """Returns what a JSON text holds.

    Args:
        text: The text.
        where: Its file, for messages.
        line: The number of the line that the text is; None = it is the whole file.

    Raises:
        DataError: It is not JSON.
    """
    place = where if line is None else f"{where}:{line}"
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}:{line or error.lineno}: not JSON: {error.msg}") from error
    # The parser of JSON calls itself for every bracket, and a file may hold nothing but brackets.
    except RecursionError as error:
        raise DataError(f"{place}: not usable JSON: nested too deeply") from error
    except ValueError as error:  # Python refuses to read numbers of thousands of digits.
        raise DataError(f"{place}: not usable JSON: a number has too many digits") from error


def with_whole_characters(text: str) -> str:
    """Returns a text with U+FFFD for each half of a surrogate pair, which no tokenizer takes.

    Cut-off JSON strings have them, and arguments of a command with bytes that are not UTF-8.
    """
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


def words_with_tags(text: str) -> tuple[str, ...]:
    """Returns words or their tags: U+2028, U+00A0 and their like stand inside words."""
    return tuple(re.findall(r"[^ \t\r\n\f\v]+", text))


def cut_words(text: str, where: str) -> tuple[str, ...]:
    """Returns the words of a text, cut at white space.

    Raises:
        DataError: The text has no words, or is too long.
    """
    if len(text) > LONGEST:
        raise DataError(
            f"{where}: expected a text of at most {LONGEST:,} characters, found {len(text):,}"
        )
    # Unlike `words_with_tags` it cuts at all white space of Unicode: there are no tags to match.
    words = tuple(text.split())
    if not words:
        raise EmptyTextError(f"{where}: empty sentence")
    return words
