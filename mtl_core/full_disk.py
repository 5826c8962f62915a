"""Errors of a disk that takes no more, as one line: libraries hide them in errors of their own."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mtl_core.errors import StorageError

_CODES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Full disk, quota, file size limit, disk that became read-only, disk that fails."""

_NO_TEMPORARY = "No usable temporary directory"
"""How Python's error on full folders of temporary files begins; its number is that of another."""


@contextmanager
def telling_full_disks(path: Path) -> Iterator[None]:
    """Turns errors of the disk, while something is written to `path`, into one line.

    Raises:
        StorageError: The disk takes no more.
    """
    try:
        yield
    except Exception as error:
        code = disk_code(error)
        if code is None:
            raise
        raise StorageError(f"cannot write {path}: {os.strerror(code)}") from error


def storage_error(error: BaseException, place: str | Path = "the output") -> StorageError | None:
    """Returns the error of a disk that stands behind an error, or None when another does.

    Args:
        error: Any error.
        place: What was written, where no error names a file.
    """
    for one in _chain(error):
        if isinstance(one, StorageError):
            return one  # It says where.
        if isinstance(one, FileNotFoundError) and str(one.strerror).startswith(_NO_TEMPORARY):
            # Python tries them by writing; why it could not, it does not say.
            return StorageError(f"{one.strerror}; make room there, or set TMPDIR to another folder")
    code = disk_code(error)
    if code is None:
        return None
    named = (one.filename for one in _chain(error) if isinstance(one, OSError) and one.filename)
    found = next(named, place)
    where = os.fsdecode(found) if isinstance(found, bytes) else found
    return StorageError(f"cannot write {where}: {os.strerror(code)}")


def disk_code(error: BaseException | None) -> int | None:
    """Returns the number of the system's error that says so; None when it is another error."""
    for one in _chain(error):
        # Libraries in Rust have it in their text alone: "File too large (os error 27)".
        found = re.search(r"\(os error (\d+)\)", str(one))
        code = one.errno if isinstance(one, OSError) else found and int(found[1])
        if code in _CODES:
            return code
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    # Libraries in C++ raise another error while they handle that of the file.
    seen: set[int] = set()  # An error that is raised once more may stand in its own chain.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def take_room(file: BinaryIO, size: int) -> None:
    """Gives an empty file its size, and the room on the disk, before it is mapped and written to.

    Without the room, writing into the map of a file on a full disk ends the process by a signal.

    Raises:
        OSError: There is no room.
    """
    # Not on every system, and not on all of its file systems.
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
    file.truncate(size)
