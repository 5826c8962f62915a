"""Which files processes of this machine use, so that nobody makes room by removing them.

A process holds a shared lock of the system on each, which ends with the process however it dies.
Locks of other machines are seen where the file system passes them on, as NFS does.
"""

import os
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which itself refuses to remove files that are open.
    fcntl = None  # type: ignore[assignment]

_MOST = 200
"""Files that a process holds at a time, each an open file; the one held longest goes first."""

_held: dict[Path, int] = {}


def use(path: Path) -> None:
    """Says that this process uses a file from now on; one that cannot be locked is passed over."""
    if fcntl is None:
        return
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            # Never waited for: who holds it alone is about to remove it, or only looks.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise
        _let_go(path)  # The one before may be another file by now.
        _held[path] = file
        if len(_held) > _MOST:
            _let_go(next(iter(_held)))


def is_used(path: Path) -> bool:
    """Returns whether a process uses a file, this one included, or it is not ours to write."""
    if fcntl is None:
        return False
    try:
        # For writing, since NFS locks for one alone only what may be written.
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return True
    except OSError:  # There is none, or something else in its place.
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _let_go(path: Path) -> None:
    file = _held.pop(path, None)
    if file is not None:
        os.close(file)
