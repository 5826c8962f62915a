"""The folder of a Ray of our own: short enough for its sockets, and gone when its study is."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from mtl_core.errors import ConfigError
from mtl_core.files import InUseError, hold
from mtl_core.full_disk import telling_full_disks

_LONGEST_SOCKET = 103
"""Bytes that the path of a socket may have on every system: 107 on Linux, 103 on macOS."""

_BELOW = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.1")
"""What Ray adds to its folder in the longest name of a socket."""

_PREFIX = "mtl-ray-"
_LOCK = ".lock"

_REMOVE_SECONDS = 5.0
"""How long processes of Ray that are just ending may go on writing into their folder."""


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Gives a new folder for what Ray writes for itself, some 10 MB; removes it at the end.

    Ray's own place, /tmp/ray, keeps what every study leaves. What killed studies of this user left
    is removed as well. Batch systems give each job a TMPDIR of its own, often of a hundred
    characters: where Ray's sockets do not fit there the folder lies elsewhere.

    Raises:
        ConfigError: There is no place for it.
        StorageError: The disk takes no more.
    """
    for left in leftovers():
        shutil.rmtree(left, ignore_errors=True)
    folder, lock = _new_folder(_place())
    try:
        yield folder
    finally:
        _remove(folder)
        lock.release()


def leftovers() -> list[Path]:
    """Returns the folders of Rays whose studies were killed: of this user, and in use by nobody."""
    return sorted(
        folder
        for place in set(_places())
        for folder in place.glob(f"{_PREFIX}*")
        if _is_of_this_user(folder) and _is_left(folder)
    )


def fits(folder: Path) -> bool:
    """Returns whether the sockets of a Ray in this folder have paths that systems take."""
    return len(os.fsencode(folder)) + _BELOW <= _LONGEST_SOCKET


def _places() -> list[Path]:
    """Returns where such folders may lie, the best first: Ray's own order, then short ones."""
    named = [os.environ.get(name) for name in ("RAY_TMPDIR", "TMPDIR")]
    short = ["/tmp", os.environ.get("XDG_RUNTIME_DIR"), "/var/tmp", os.environ.get("HOME")]
    # Of a relative path nobody knows whether it is short enough for all processes.
    return [Path(place) for place in (*named, *short) if place and Path(place).is_absolute()]


def _place() -> Path:
    for place in _places():
        # As long as `tempfile` makes the name.
        if os.access(place, os.W_OK | os.X_OK) and fits(place / f"{_PREFIX}12345678"):
            return place
    tried = ", ".join(map(str, _places()))
    raise ConfigError(
        f"Ray needs a folder for its files that can be written and has a short path; tried "
        f"{tried}; name one: RAY_TMPDIR=FOLDER"
    )


def _new_folder(place: Path) -> tuple[Path, FileLock]:
    while True:
        with telling_full_disks(place):
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
            # Another study may take it for one that was left, until it is held: then a new one.
            with contextlib.suppress(InUseError, FileNotFoundError):
                lock = hold(folder)
                if folder.is_dir():
                    return folder, lock


def _is_of_this_user(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        # Not `stat`: a link would lead to another folder, and /tmp is everybody's.
        about = folder.lstat()
        return about.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
    return False


def _is_left(folder: Path) -> bool:
    # The system lets go of a lock when its process dies, however it does.
    if not (folder / _LOCK).exists():
        return False
    try:
        hold(folder).release()
    except (InUseError, OSError):
        return False
    return True


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _REMOVE_SECONDS
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
        shutil.rmtree(folder, ignore_errors=True)
