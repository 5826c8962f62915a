"""Disks that take no more, for any user: a limit on the size of files, a step that fails."""

import errno
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Lets no file of this process, and of those that it starts, grow beyond `size` bytes.

    A write that would goes as far as that, as on a disk that fills up. The system's own limit, so
    it holds for libraries in C and Rust as well; reading is as before.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Disk:
    """A folder of which a step fails: a file opened to be written, a rename, a new folder.

    Attributes:
        steps: What was done below the folder since the last `full_at`, as (event, path).
    """

    def __init__(self, folder: Path) -> None:
        self.steps: list[tuple[str, str]] = []
        self._folder = str(folder)
        self._full_at: int | None = None
        self._is_watched = False
        sys.addaudithook(self._hear)

    @contextmanager
    def full_at(self, step: int | None) -> Iterator[None]:
        """Fails at a step, counted from 0, and at all that follow; None = only counts."""
        self.steps, self._full_at, self._is_watched = [], step, True
        try:
            yield
        finally:
            self._is_watched = False

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        # A hook stays for the life of the process, and hears everything.
        if not self._is_watched or event not in {"open", "os.rename", "os.mkdir", "os.symlink"}:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
            return
        if not isinstance(arguments[0], str | bytes):
            return
        place = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (links stay links)
        # To ask for a folder that is there takes no room.
        if not place.startswith(self._folder) or (event == "os.mkdir" and os.path.isdir(place)):  # noqa: PTH112
            return
        self.steps.append((event, place))
        if self._full_at is not None and len(self.steps) > self._full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)


_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
