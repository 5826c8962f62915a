"""Looks at paths that users type, which may be anything: too long, of no file but a pipe, with NUL.

`Path.is_file` and its like raise where the system refuses the question itself.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotRegularError(OSError):
    """What lies there is no file that can be read from its start, and again."""


def is_file(path: str | Path) -> bool:
    """Returns whether a path leads to a regular file that can be looked at."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """Returns whether a path leads to a folder that can be looked at."""
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: str | Path) -> bool:
    """Returns whether a path leads to something that can be looked at."""
    return os.path.exists(path)  # noqa: PTH110


def is_pipe(path: Path) -> bool:
    """Returns whether a path leads to a pipe, which can be read but once."""
    try:
        return path.is_fifo()
    except (OSError, ValueError):
        return False


def names_beside(path: Path, suffix: str = "") -> list[str]:
    """Returns the names in the folder of a path, with the suffix; none where it has no folder."""
    try:
        return [name for name in os.listdir(path.parent) if name.endswith(suffix)]  # noqa: PTH208
    except (OSError, ValueError):
        return []


def absolute(path: str | Path, base: Path) -> Path:
    """Returns where a path leads that starts from a folder; `~` is the home folder.

    Of a link that leads to itself, and of a user that there is not, it is what was written.

    Raises:
        ValueError: There is a NUL character in it, which no file has in its name; or it begins with
            `~`, and the system knows no home folder.
    """
    text = str(path)
    if "\0" in text:
        raise ValueError(f"expected a path, found a NUL character in {text!r}")
    # Not those of `Path`, which raise where there is no such user, and where links go in circles.
    expanded = os.path.expanduser(text)  # noqa: PTH111
    if expanded.partition("/")[0] == "~":
        raise ValueError(f"no home folder is known for '{text}'; set HOME")
    return Path(os.path.realpath(base / expanded))


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file, or a link to one, to read its bytes.

    Of a pipe, in which there may never be anything, it would wait for ever; of a device, which may
    never end, it would read for ever.

    Raises:
        NotRegularError: It is something else; `strerror` says what.
        OSError: It cannot be opened; `strerror` says why.
    """
    # NONBLOCK: opening a pipe would wait for who writes into it.
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except ValueError as error:
        raise NotRegularError(errno.EINVAL, "there is a NUL character in its name") from error
    except OSError as error:
        if error.errno == errno.ENXIO:  # A socket cannot be opened at all.
            raise NotRegularError(error.errno, "it is a socket, no file") from error
        raise
    kind = stat.S_IFMT(os.fstat(number).st_mode)
    if kind == stat.S_IFDIR:
        os.close(number)
        raise IsADirectoryError(errno.EISDIR, "it is a folder, no file")
    if kind in _KINDS:
        os.close(number)
        raise NotRegularError(errno.EINVAL, f"it is {_KINDS[kind]}, no file; make a file of it")
    return os.fdopen(number, "rb")


def read_regular(path: Path) -> bytes:
    """Returns the content of a regular file; see `open_regular`."""
    with open_regular(path) as file:
        return file.read()
