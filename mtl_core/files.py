"""Writes files and folders whole or not at all; has one process build what all others open."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from filelock import FileLock, Timeout

from mtl_core.checks import DamagedError, check_files, checked_json, checks_of, read_checked
from mtl_core.errors import CacheError, ConfigError, DataError
from mtl_core.full_disk import telling_full_disks
from mtl_core.printable import one_line
from mtl_core.scores import without_nan

T = TypeVar("T")

logger = logging.getLogger(__name__)

_META = "meta.json"
"""What a built folder says of itself, and the checks of its files; its modification time is that of
the last use."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a scratch path; the file written there takes the place of `path` at the end.

    Killed or failing in between, `path` is what it was before. One process at a time may write
    the same path; where there are several, they take `locked`.
    """
    # In the same folder: a rename is atomic only within one file system.
    part = path.with_name(f".{path.name}.part")
    try:
        with telling_full_disks(path):
            part.unlink(missing_ok=True)  # A link there would lead the content into another file.
            part.touch(exist_ok=False)
            mode = part.stat().st_mode
            yield part
            _give_mode(part, mode)
            os.replace(part, path)  # noqa: PTH105
    finally:
        # Half a file would take room from what is written next; a whole one is not here any more.
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _give_mode(path: Path, mode: int) -> None:
    """Gives a file the mode that new files get here, 666 less the umask.

    Libraries that write by way of temporary files, safetensors for one, leave files that nobody
    else can read. What a new file or folder got is looked at: the umask itself can only be read by
    changing it, for all threads of the process.
    """
    wanted = mode & 0o666
    # Only where it differs: some file systems have no modes, and refuse to change them.
    if path.stat().st_mode & 0o777 != wanted:
        path.chmod(wanted)


def write_text(path: Path, text: str) -> None:
    """Writes a file at once or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: object) -> None:
    """Writes a JSON file at once or not at all; NaN becomes null."""
    write_text(path, json.dumps(without_nan(content), indent=2) + "\n")


@contextmanager
def whole_append(path: Path) -> Iterator[None]:
    """Has the block append to a file whole or not at all: when it fails, the file is cut back.

    The process that is killed in the block leaves its half; readers know that by its missing end.

    Raises:
        StorageError: The disk takes no more.
    """
    size = path.stat().st_size if path.is_file() else None
    try:
        with telling_full_disks(path):
            yield
    except BaseException:
        # Otherwise what is appended next, when there is room again, would join on to the half.
        with suppress(OSError):
            if size is None:
                path.unlink(missing_ok=True)
            else:
                os.truncate(path, size)
        raise


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Gives a new scratch folder, which takes the place of `folder` as a whole at the end.

    When the block fails, the scratch folder is removed and `folder` stays as it was.
    """
    # Names differ, so that two processes never write into one scratch folder.
    scratch = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    try:
        with telling_full_disks(folder):
            scratch.mkdir()
            yield scratch
            mode = scratch.stat().st_mode
            for path in scratch.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    _give_mode(path, mode)
            _exchange(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exchange(scratch: Path, folder: Path) -> None:
    """Puts a folder into the place of what is there, which stays when that fails."""
    # A folder that is not empty cannot be replaced, only moved aside first.
    old = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    has_old = os.path.lexists(folder)
    if has_old:
        folder.replace(old)
    try:
        scratch.replace(folder)
    except OSError:
        if has_old:
            old.replace(folder)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Removes a folder with all that is in it, a file or a link; nothing may be there either."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def locked(path: Path) -> FileLock:
    """Returns the lock that all processes of this machine share for a path."""
    return FileLock(f"{path}.lock")


class InUseError(Exception):
    """Another process holds the folder."""


def hold(folder: Path) -> FileLock:
    """Keeps others out of a folder that is there, until `release` is called or the process dies.

    Raises:
        InUseError: Another process holds it; it is not waited for.
        OSError: The folder cannot be written.
    """
    # The system lets go of the lock when its process dies, so none is left by a kill.
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InUseError(str(folder)) from error
    return lock


@dataclass(frozen=True, slots=True)
class Room:
    """How much room a folder may have.

    Attributes:
        needed: Bytes that it takes.
        budget: Bytes that it and all folders beside it may take.
    """

    needed: int
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
        if room is not None:
            # One lock for all of them: two that make room at a time would count what the other
            # removes. Taken under the folder's own, and never the other way round.
            with locked(folder.parent / "room"):
                if not _make_room(folder, room):
                    return None
        # Read as others will read it; an error is now one of the code, and told.
        return open_(folder, _build_whole(folder, build))


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
        (scratch / _META).write_text(checked_json(meta), encoding="utf-8")
    return read_checked(folder / _META)["built"]


def _open_whole(folder: Path, open_: Callable[[Path, Any], T | None]) -> T | None:
    if not os.path.lexists(folder):
        return None
    try:
        meta = read_checked(folder / _META)
        check_files(folder, meta["files"])
        found = open_(folder, meta["built"])
        if found is None:
            raise DamagedError("it holds something else than expected")
    except (OSError, ValueError, KeyError, TypeError, DamagedError) as error:
        logger.warning("%s: damaged: %s; it is built again", folder, one_line(str(error)))
        return None
    with suppress(OSError):  # Of another user; then the time of use stays as it is.
        # Marks the use, since the times of access that file systems keep are often switched off.
        os.utime(folder / _META)
    return found


def _make_room(wanted: Path, room: Room) -> bool:
    """Removes the least recently used folders until there is room; returns whether there is."""
    if room.needed > room.budget or room.needed > shutil.disk_usage(wanted.parent).free:
        return False
    # What others build stands in hidden folders, and is left alone.
    metas = [
        path
        for path in wanted.parent.glob(f"*/{_META}")
        if path.parent != wanted and not path.parent.name.startswith(".")
    ]
    kept = sorted(metas, key=lambda path: path.stat().st_mtime)  # The oldest use first.
    sizes = {meta.parent: sum(f.stat().st_size for f in meta.parent.iterdir()) for meta in kept}
    for folder in list(sizes):
        if sum(sizes.values()) + room.needed <= room.budget:
            break
        # Whoever holds the lock has built it or is about to open it. Not waited for: the other
        # may wait for the lock of all folders, which is held here.
        with suppress(Timeout), locked(folder).acquire(blocking=False):
            # Whoever has it mapped keeps its content.
            shutil.rmtree(folder, ignore_errors=True)
            del sizes[folder]
    return sum(sizes.values()) + room.needed <= room.budget


@contextmanager
def telling_what_is_broken(path: Path) -> Iterator[None]:
    """Turns the errors of reading a broken file, which others may have written, into one line.

    Raises:
        ConfigError: Reading `path` failed with any error that a broken file can cause.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {one_line(str(error)[:200])}"
        raise ConfigError(f"{path}: a file of the study is broken: {reason}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: a file of the study is nested too deeply") from error


def hash_files(paths: Iterable[Path]) -> str:
    """Returns the SHA-256 of the content of the files, in order.

    Raises:
        DataError: A file is missing or unreadable.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    return digest.hexdigest()
