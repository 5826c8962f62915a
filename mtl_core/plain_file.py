"""Reads a file as a whole; in its place may lie what is none: a folder, a pipe, a dead link."""

import stat
from pathlib import Path

from mtl_core.errors import ConfigError


def read_plain(path: Path, *, most_bytes: int) -> bytes | None:
    """Returns the content of a file; None when nothing is there.

    Args:
        path: The file.
        most_bytes: What it may hold; no more than that is read.

    Raises:
        ConfigError: It is no file, is larger, or cannot be read.
    """
    if not is_plain(path):
        return None
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > most_bytes:
        size = f"{most_bytes // 2**20} MiB" if most_bytes >= 2**20 else f"{most_bytes // 2**10} KiB"
        raise ConfigError(f"{path}: expected at most {size}; it is larger")
    return content


def is_plain(path: Path) -> bool:
    """Returns whether a file is there.

    Asked before it is opened: a pipe would be waited for until somebody writes into it.

    Raises:
        ConfigError: There is something else: a folder, a pipe, a device, a link to nothing.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise ConfigError(f"{path}: expected a file, found a link to nothing") from None
        return False
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        found = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}.get(stat.S_IFMT(mode), "no file")
        raise ConfigError(f"{path}: expected a file, found {found}")
    return True
