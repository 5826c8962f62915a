"""Writes files and folders whole or not at all; locks for those that several processes write."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from mtl_core.any_path import read_regular
from mtl_core.errors import DataError
from mtl_core.full_disk import disk_code, telling_full_disks
from mtl_core.scores import only_finite


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a scratch path; the file written there takes the place of `path` at the end.

    Killed or failing in between, `path` is what it was before. One process at a time may write
    the same path; where there are several, they take `locked`.
    """
    if not path.name:  # The root, or the current folder.
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
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
    """Writes a JSON file at once or not at all; numbers that are not finite become null."""
    write_text(path, json.dumps(only_finite(content), indent=2, allow_nan=False) + "\n")


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


@contextmanager
def locked_at_once(path: Path) -> Iterator[None]:
    """Holds the lock of a path that is to be removed.

    Raises:
        Timeout: Another process holds it; it is not waited for.
    """
    lock = locked(path)
    try:
        lock.acquire(blocking=False)
    except OSError as error:
        # On a full disk there may be no room for a lock file, so nobody holds it: what frees room
        # must not fail by that. (`Timeout` is an `OSError`, and no error of the disk.)
        if disk_code(error) is None:
            raise
    try:
        yield
    finally:
        lock.release()


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


def hash_files(paths: Iterable[Path]) -> str:
    """Returns the SHA-256 of the content of the files, in order.

    Raises:
        DataError: A file is missing or unreadable.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(read_regular(path)).digest())
        except OSError as error:
            raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    return digest.hexdigest()
