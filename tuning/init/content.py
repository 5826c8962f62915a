"""The text of a file in whatever encoding it has, and the name of that encoding."""

from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from mtl_core.data.formats.compressed import read_bytes
from mtl_core.data.formats.text_files import marked_encoding
from mtl_core.errors import DataError

_SAMPLE = 200_000
"""Bytes that an encoding is guessed from."""
_LIKELY = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r",
    "shift_jis", "euc_jp", "euc_kr", "gb18030", "big5",
)  # fmt: skip
"""Encodings that text files still come in, where they are not Unicode."""


@dataclass(frozen=True, slots=True)
class Content:
    """The text of a file.

    Attributes:
        path: The file.
        text: What stands in it, without a byte-order mark.
        encoding: The name of its encoding where that has to be said, None where the file or UTF-8
            says it.
    """

    path: Path
    text: str
    encoding: str | None = None


def read_content(path: Path) -> Content:
    """Returns the text of a file, compressed or not.

    Raises:
        DataError: It cannot be read, or is no text.
    """
    content = read_bytes(path)
    if encoding := marked_encoding(content):
        return _decoded(path, content, encoding)
    if b"\x00" in content[:_SAMPLE]:
        # Of UTF-16 without a mark every other byte of plain letters is zero.
        even, odd = content[:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
        if max(even, odd) < len(content[:_SAMPLE]) / 8 or min(even, odd) > max(even, odd) / 4:
            raise DataError(f"{path}: not a text file, and no format that is known here")
        return _decoded(path, content, "utf-16-be" if even > odd else "utf-16-le")
    try:
        return Content(path, content.decode("utf-8"))
    except UnicodeDecodeError:
        return _decoded(path, content, _guess(path, content))


def _guess(path: Path, content: bytes) -> str:
    best = from_bytes(content[:_SAMPLE], cp_isolation=list(_LIKELY)).best()
    if best is None:
        raise DataError(f"{path}: neither UTF-8 nor another encoding that can be told; save it so")
    # In what both can write they are the same; that of Western Europe is the usual one.
    if best.encoding in {"cp1250", "cp1254", "cp1257"} and "cp1252" in best.could_be_from_charset:
        return "cp1252"
    return str(best.encoding)


def _decoded(path: Path, content: bytes, encoding: str) -> Content:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: begins as {encoding}, but is not: {error.reason}") from error
    return Content(path, text, None if marked_encoding(content) else encoding)
