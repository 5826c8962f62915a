"""What lies on the disk and can be had again: the parts of the cache, what kills left behind."""

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from mtl_core import in_use
from mtl_core.built import META, remove_built, size_of
from mtl_core.files import locked, locked_at_once, remove
from mtl_core.paths import cache_path

IN_USE = "in use"
FETCHED = "fetched, so only with --fetched"

_BUILT = {"encoded": "encoded data", "prefix": "what frozen layers compute"}
_FROM_ELSEWHERE = {
    "fetched": "data that `mtl fetch` fetched",
    "downloads": "files behind addresses",
    "datasets": "data of the hub",
}
"""Folder of the cache -> what lies in it."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or a folder that can be removed.

    Attributes:
        what: What it is, in words.
        path: Where it lies.
        bytes: What it takes.
        stays: Why it is not removed; "" = it is.
        lock: The path whose lock is held while it is written; None = it has none.
    """

    what: str
    path: Path
    bytes: int
    stays: str = ""
    lock: Path | None = None

    def remove(self) -> bool:
        """Removes it unless it stays; returns whether it is gone."""
        if self.stays:
            return False
        with suppress(OSError, Timeout):  # Not ours, or in use since it was looked at.
            if self.lock == self.path:
                return remove_built(self.path)
            with nullcontext() if self.lock is None else locked_at_once(self.lock):
                remove(self.path)
        return not os.path.lexists(self.path)


def in_cache(*, with_fetched: bool = False) -> Iterator[Leftover]:
    """Yields what lies in the cache, which is not made when there is none.

    Args:
        with_fetched: Whether what came over the network is removed, too.
    """
    cache = cache_path()
    for name, what in _BUILT.items():
        for folder in _shown(cache / name):
            stays = IN_USE if _is_open(folder) else ""
            yield Leftover(what, folder, size_of(folder), stays, lock=folder)
    for path in _shown(cache / "outlines"):
        yield Leftover("outlines of encoders", path, size_of(path), lock=path)
    for name, what in _FROM_ELSEWHERE.items():
        for path in _shown(cache / name):
            yield Leftover(what, path, size_of(path), "" if with_fetched else FETCHED)
    for name in (*_BUILT, "outlines", "downloads"):
        yield from parts_in(cache / name)


def parts_in(folder: Path) -> Iterator[Leftover]:
    """Yields the scratch files and folders of writes that a kill cut short."""
    for path in _entries(folder):
        if path.name.startswith(".") and path.name.endswith(".part"):
            # `.NAME.part` or `.NAME.RANDOM.part`, see `mtl_core.files`; whoever writes it in the
            # cache holds the lock of NAME.
            name = path.name[1:].removesuffix(".part")
            lock = folder / (name.rpartition(".")[0] if path.is_dir() else name)
            stays = IN_USE if _is_locked(lock) else ""
            yield Leftover("halves that a kill left", path, size_of(path), stays, lock=lock)


def remove_parts(folder: Path) -> None:
    """Removes them from a folder that this process holds alone."""
    for part in parts_in(folder):
        part.remove()


def _is_open(folder: Path) -> bool:
    return in_use.is_used(folder / META) or _is_locked(folder)


def _is_locked(path: Path) -> bool:
    if not Path(f"{path}.lock").exists():
        return False
    try:
        with locked(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


def _shown(folder: Path) -> Iterator[Path]:
    for path in _entries(folder):
        if not path.name.startswith(".") and path.suffix != ".lock":
            yield path


def _entries(folder: Path) -> Iterable[Path]:
    with suppress(OSError):  # Not there, or not for this user.
        return sorted(folder.iterdir())
    return ()
