"""Folders of the cache: one process builds what all others open, and the oldest make room."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import Timeout

from mtl_core import in_use
from mtl_core.checks import DamagedError, check_files, checked_json, checks_of, read_checked
from mtl_core.errors import CacheError
from mtl_core.files import locked, locked_at_once, remove, whole_folder
from mtl_core.full_disk import telling_full_disks
from mtl_core.printable import one_line

T = TypeVar("T")

logger = logging.getLogger(__name__)

META = "meta.json"
"""What a built folder says of itself, and the checks of its files; its modification time is that of
the last use."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much room a folder may have.

    Attributes:
        needed: Bytes that it takes, which others have to make way for, and without which it is not
            built. None = nobody knows before; it is built in any case, and then others that no
            process uses make way.
        budget: Bytes that it and all folders beside it may take.
    """

    needed: int | None
    budget: int


def open_or_build(
    folder: Path,
    open_: Callable[[Path, Any], T | None],
    build: Callable[[Path], object],
    *,
    room: Room | None = None,
) -> T | None:
    """Opens a folder; builds it first, under a lock, where it is missing or damaged.

    Of several processes that want it, the first one builds, and the others wait and open it. All
    files are checked before they are opened; that a folder is damaged is told in a warning.

    Args:
        folder: The folder; the one around it is made when missing.
        open_: Called with the folder and what `build` returned; what it returns is returned. None,
            or an error of broken files, has the folder built again.
        build: Writes files into the empty folder that it is called with; returns plain data as JSON
            takes it.
        room: Folders beside this one are removed to make room, the least recently used first;
            None = there is always room.

    Returns:
        None when there is no room.

    Raises:
        CacheError: The folder around it cannot be used.
    """
    with _held(folder):
        found = _open_whole(folder, open_)
        if found is not None:
            return found
        if room is not None and room.needed is not None and not _has_room(folder, room):
            return None
        built = _build_whole(folder, build)
        if room is not None and room.needed is None:
            _make_room(folder, size_of(folder), room.budget, even_used=False)
        in_use.use(folder / META)
        # Read as others will read it; an error is now one of the code, and told.
        return open_(folder, built)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder of the cache, and makes the folder around it."""
    lock = locked(folder)
    try:
        with telling_full_disks(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except OSError as error:
        raise CacheError(
            f"{error.filename or folder.parent}: the cache cannot be used: {error.strerror}; "
            "remove what is there, or set MTL_CACHE to a folder that can be written"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _build_whole(folder: Path, build: Callable[[Path], object]) -> Any:
    """Builds a folder, whose lock is held; returns what its `meta.json` holds."""
    # Nobody else builds here now: what lies here was left by a killed process.
    for left in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(left, ignore_errors=True)
    # Without its `meta.json` a folder counts as damaged, and it gets that before it is moved to its
    # place: nobody can open a folder that is half built.
    with whole_folder(folder) as scratch:
        meta = {"built": build(scratch), "files": checks_of(scratch)}
        (scratch / META).write_text(checked_json(meta), encoding="utf-8")
    return read_checked(folder / META)["built"]


def _open_whole(folder: Path, open_: Callable[[Path, Any], T | None]) -> T | None:
    if not os.path.lexists(folder):
        return None
    try:
        meta = read_checked(folder / META)
        check_files(folder, meta["files"])
        found = open_(folder, meta["built"])
        if found is None:
            raise DamagedError("it holds something else than expected")
    except (OSError, ValueError, KeyError, TypeError, DamagedError) as error:
        logger.warning("%s: damaged: %s; it is built again", folder, one_line(str(error)))
        return None
    with suppress(OSError):  # Of another user; then the time of use stays as it is.
        # Marks the use, since the times of access that file systems keep are often switched off.
        os.utime(folder / META)
    in_use.use(folder / META)
    return found


def _has_room(wanted: Path, room: Room) -> bool:
    """Makes room for a folder of a known size; returns whether there is."""
    assert room.needed is not None
    if room.needed > room.budget or room.needed > shutil.disk_usage(wanted.parent).free:
        return False
    # Whoever has another one mapped keeps its content: all may go.
    return _make_room(wanted, room.needed, room.budget, even_used=True)


def _make_room(wanted: Path, needed: int, budget: int, *, even_used: bool) -> bool:
    """Removes the least recently used folders until there is room; returns whether there is."""
    # One lock for all of them: two that make room at a time would count what the other removes.
    # Taken under the folder's own, and never the other way round.
    with locked(wanted.parent / "room"):
        sizes = {folder: size_of(folder) for folder in built_folders(wanted.parent)}
        sizes.pop(wanted, None)
        for folder in list(sizes):
            if sum(sizes.values()) + needed <= budget:
                break
            if remove_built(folder, even_used=even_used):
                del sizes[folder]
        return sum(sizes.values()) + needed <= budget


def built_folders(root: Path) -> list[Path]:
    """Returns the folders that were built in a folder, the least recently used first."""
    # What others build stands in hidden folders, and is left alone.
    metas = [meta for meta in root.glob(f"*/{META}") if not meta.parent.name.startswith(".")]
    return [meta.parent for meta in sorted(metas, key=lambda meta: meta.stat().st_mtime)]


def size_of(folder: Path) -> int:
    """Returns the bytes of the files in a folder and the folders in it, or those of a file."""
    total = 0
    for path in (folder, *folder.rglob("*")):
        # What goes meanwhile, or may not be looked at, counts nothing.
        with suppress(OSError):
            if not path.is_dir():
                total += path.lstat().st_size
    return total


def remove_built(folder: Path, *, even_used: bool = False) -> bool:
    """Removes a built folder that nobody builds or opens now; returns whether it is gone.

    Args:
        folder: The folder.
        even_used: Also when a process has it open; that one keeps the content that it has mapped.
    """
    # Whoever holds the lock has built it or is about to open it. Not waited for: the other may wait
    # for a lock that is held here.
    with suppress(Timeout), locked_at_once(folder):
        if even_used or not in_use.is_used(folder / META):
            remove(folder)
            return not os.path.lexists(folder)
    return False
