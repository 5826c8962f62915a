"""Files as they are or compressed: told apart by how their content begins, not by their names."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from mtl_core.any_path import read_regular
from mtl_core.errors import DataError


def read_bytes(path: Path) -> bytes:
    """Returns the content of a file, unpacked where it is gzip, bzip2, xz, zstd or a zip of one.

    Raises:
        DataError: The file is missing or unreadable, its packing is broken, or it is an archive of
            several files.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    for name, (start, unpack) in _PACKINGS.items():
        if re.match(start, content):
            try:
                content = unpack(content, str(path))
            except _BROKEN as error:
                raise DataError(f"{path}: not a whole {name} file: {error}") from error
    if content[257:262] == b"ustar":
        raise DataError(f"{path}: a tar archive; unpack it, and name the files in it")
    return content


def _zip_member(content: bytes, where: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        # macOS adds a folder of its own to every archive that it makes.
        names = [
            entry.filename
            for entry in archive.infolist()
            if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise DataError(
                f"{where}: expected a zip archive of one file, found {len(names)}"
                f"{f' ({shown})' if names else ''}; unpack it, and name the files in it"
            )
        return archive.read(names[0])


def _zstd(content: bytes, _: str) -> bytes:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return bytes(stream.read())


_PACKINGS: dict[str, tuple[bytes, Callable[[bytes, str], bytes]]] = {
    "gzip": (rb"\x1f\x8b", lambda content, _: gzip.decompress(content)),
    "bzip2": (rb"BZh[1-9]1AY&SY", lambda content, _: bz2.decompress(content)),
    "xz": (rb"\xfd7zXZ\x00", lambda content, _: lzma.decompress(content)),
    "zstd": (rb"\x28\xb5\x2f\xfd", _zstd),
    "zip": (rb"PK\x03\x04", _zip_member),
}
"""Name of a packing -> how it begins, and what unpacks it."""
# A zip that asks for a password is a RuntimeError.
_BROKEN = (
    EOFError, OSError, RuntimeError, ValueError, lzma.LZMAError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
