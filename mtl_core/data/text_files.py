"""Reading text files so that an error names the file and the line."""

from pathlib import Path

from mtl_core.errors import DataError


def read_text(path: Path) -> str:
    """Returns the text of a UTF-8 file; a byte-order mark at its start is dropped.

    Raises:
        DataError: The file is missing, unreadable or not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = content[error.start]
        raise DataError(f"{path}:{line}: not UTF-8 text (byte 0x{found:02x})") from error


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a UTF-8 file, without line ends.

    Only line feeds end a line: `str.splitlines` would also cut at U+2028 and its like, which stand
    in real sentences, and the files of a split would no longer match.

    Raises:
        DataError: The file is missing, unreadable or not UTF-8.
    """
    lines = read_text(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
