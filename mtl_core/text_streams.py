"""Streams of text, read line by line, so that they may be of any size or never end."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mtl_core.data.formats.text_files import LONGEST
from mtl_core.errors import DataError

BLOCK = 2**16
"""Bytes that are read at once."""


def open_texts(path: Path) -> io.BufferedReader:
    """Opens a file of texts.

    Raises:
        DataError: It is missing, or cannot be read.
    """
    try:
        return path.open("rb")
    except IsADirectoryError as error:
        raise DataError(f"{path}: it is a folder, expected a file of texts") from error
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error


def read_lines(file: BinaryIO, where: str) -> Iterator[list[str]]:
    """Yields the lines of a stream as they come, as many at once as there are.

    Raises:
        DataError: A line is not UTF-8, or too long.
    """
    number, rest = 0, b""
    while block := _read_some(file):
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) > 4 * LONGEST:  # bytes: a character has four at most
            whole, rest = [*whole, rest], b""
        if whole:
            yield [
                _line(line, where, at).removesuffix("\r")
                for at, line in enumerate(whole, start=number + 1)
            ]
        number += len(whole)
    if rest:
        yield [_line(rest, where, number + 1).removesuffix("\r")]


def decoded_lines(file: BinaryIO, where: str, encoding: str) -> Iterator[str]:
    """Yields the lines of a file with their ends; only line feeds end one.

    Args:
        file: The file, from its start.
        where: Its name, for messages.
        encoding: How it is written; the first line may begin with a byte-order mark.

    Raises:
        DataError: A line is not in the encoding, or too long.
    """
    if encoding.startswith(("utf-16", "utf-32")):  # A line feed is more than its byte there.
        try:
            with io.TextIOWrapper(file, encoding=encoding, newline="\n") as text:
                yield from text
        except UnicodeError as error:
            raise DataError(
                f"{where}: not {encoding.removesuffix('-sig').upper()} text: {error}"
            ) from error
        return
    for number, content in enumerate(file, start=1):
        yield _line(content, where, number, encoding)


def _read_some(file: BinaryIO) -> bytes:
    # `read1` returns what a pipe has to give and does not wait for a whole block.
    read = getattr(file, "read1", file.read)
    block: bytes = read(BLOCK)
    return block


def _line(content: bytes, where: str, number: int, encoding: str = "utf-8") -> str:
    if number == 1 and content.startswith(codecs.BOM_UTF8):
        content = content.removeprefix(codecs.BOM_UTF8)
    try:
        line = content.decode(encoding)
    except UnicodeDecodeError as error:
        found = error.object[error.start]
        raise DataError(
            f"{where}:{number}: not {encoding.upper()} text (byte 0x{found:02x}); make a copy in "
            "UTF-8; of Windows-1252, for instance: `iconv -f CP1252 -t UTF-8`"
        ) from error
    if len(line) > LONGEST:
        raise DataError(
            f"{where}:{number}: expected lines of at most {LONGEST:,} characters, found more"
        )
    return line
