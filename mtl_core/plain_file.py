"""Reads a file that need not be there, as a whole; what is no file in its place is told."""

from pathlib import Path
from typing import BinaryIO

from mtl_core.any_path import open_regular
from mtl_core.errors import ConfigError


def read_plain(path: Path, *, most_bytes: int) -> bytes | None:
    """Returns the content of a file; None when nothing is there.

    Args:
        path: The file.
        most_bytes: What it may hold; no more than that is read.

    Raises:
        ConfigError: It is no file, is larger, or cannot be read.
    """
    file = _opened(path)
    if file is None:
        return None
    with file:
        try:
            content = file.read(most_bytes + 1)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > most_bytes:
        size = f"{most_bytes // 2**20} MiB" if most_bytes >= 2**20 else f"{most_bytes // 2**10} KiB"
        raise ConfigError(f"{path}: expected at most {size}; it is larger")
    return content


def is_plain(path: Path) -> bool:
    """Returns whether there is a file that can be read.

    Raises:
        ConfigError: There is something else: a folder, a pipe, a device, a link to nothing.
    """
    file = _opened(path)
    if file is not None:
        file.close()
    return file is not None


def _opened(path: Path) -> BinaryIO | None:
    try:
        return open_regular(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise ConfigError(f"{path}: expected a file, found a link to nothing") from None
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
