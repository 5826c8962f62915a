"""Errors of a disk that takes no more, as one line: libraries hide them in errors of their own."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtl_core.errors import StorageError

_CODES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Full disk, quota, file size limit, disk that became read-only, disk that fails."""


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


def disk_code(error: BaseException | None) -> int | None:
    """Returns the number of the system's error that says so; None when it is another error."""
    while error is not None:
        # Libraries in Rust have it in their text alone: "File too large (os error 27)".
        found = re.search(r"\(os error (\d+)\)", str(error))
        code = error.errno if isinstance(error, OSError) else found and int(found[1])
        if code in _CODES:
            return code
        # Those in C++ raise another error while they handle that of the file.
        error = error.__cause__ or error.__context__
    return None
