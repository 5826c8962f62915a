"""Checks whether files are still what was written: sizes and CRC-32 sums, kept beside them.

A disk that fails, a crash of the machine or a stray program changes files without a word. What can
be had again is checked when it is opened, and made again where it differs. CRC-32 finds accidents;
it is no protection from people.
"""

import json
import re
import stat
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_CHUNK = 2**24
_LARGEST = 2**30
"""Bytes of JSON, which is read into memory; labels and notes of data take a thousandth."""
_HEAD = re.compile(rb'\{"crc32": (\d{1,10}), "content":\n')


class DamagedError(Exception):
    """A file is not what was written; the text says what is wrong with it."""


def checked_json(content: object) -> str:
    """Returns JSON that carries its own checksum; `read_checked` reads it.

    Args:
        content: Plain data; no number in it may be NaN or infinite.
    """
    text = json.dumps(content, allow_nan=False)
    return f'{{"crc32": {zlib.crc32(text.encode())}, "content":\n{text}}}\n'


def read_checked(path: Path) -> Any:
    """Returns what stands in a file of `checked_json`.

    Raises:
        DamagedError: The file is missing, unreadable or another one than was written.
    """
    if _state_of(path).st_size > _LARGEST:
        raise DamagedError(f"{path.name} is too large")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DamagedError(f"{path.name} cannot be read: {error.strerror}") from error
    head = _HEAD.match(raw)
    if head is None:
        raise DamagedError(f"{path.name} is damaged, or of another version")
    text = raw[head.end() : -2]
    # Before it is parsed: garbage may be nested without end.
    if zlib.crc32(text) != int(head[1]):
        raise DamagedError(f"{path.name} is not what was written")
    return json.loads(text)


def checks_of(folder: Path) -> dict[str, list[int]]:
    """Returns name -> size in bytes and CRC-32 of every file of a folder."""
    return {path.name: _check(path) for path in sorted(folder.iterdir())}


def check_files(folder: Path, checks: Mapping[str, list[int]]) -> None:
    """Refuses a folder of which a file is not what `checks_of` found.

    Whole files are read, at some GB/s, each once in a process unless it was written since.

    Raises:
        DamagedError: A file is missing, unreadable or another one.
    """
    for name, check in checks.items():
        size, _ = check
        found = _state_of(folder / name).st_size
        if found != size:
            raise DamagedError(f"{name} has {found} bytes in place of {size}")
        if _check(folder / name) != check:
            raise DamagedError(f"{name} is not what was written")


def _state_of(path: Path) -> Any:
    """Returns what the system says of a file; nothing else is opened, as a pipe would wait."""
    try:
        state = path.lstat()
    except OSError as error:
        raise DamagedError(f"{path.name} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(state.st_mode):
        raise DamagedError(f"{path.name} is no file")
    return state


def _check(path: Path) -> list[int]:
    state = _state_of(path)
    try:
        total = _checksum(path, state.st_size, state.st_mtime_ns, state.st_ino)
    except OSError as error:
        raise DamagedError(f"{path.name} cannot be read: {error.strerror}") from error
    return [state.st_size, total]


# By all that changes when a file is written, so that the trials of a worker read it once.
@lru_cache(maxsize=4096)
def _checksum(path: Path, size: int, modified: int, inode: int) -> int:
    del size, modified, inode
    total = 0
    # In chunks: the file may be larger than memory.
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total
