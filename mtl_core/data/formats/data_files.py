"""Where the files of a split lie: paths, folders, globs and addresses, which are fetched once."""

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mtl_core.any_path import is_file, is_there, names_beside
from mtl_core.built import open_or_build
from mtl_core.errors import DataError, did_you_mean
from mtl_core.paths import cache_folder
from mtl_core.section import is_address


def files_of(places: Iterable[str]) -> list[Path]:
    """Returns the files that paths, folders, globs and addresses stand for, in their order.

    A folder stands for all files in it, a glob for all that match, both sorted by name and without
    hidden ones; `**` in a glob also means folders in folders.

    Raises:
        DataError: A file is missing, a folder or glob holds none, or an address cannot be fetched.
    """
    return [path for place in places for path in _files_at(place)]


def _files_at(place: str) -> list[Path]:
    if is_address(place):
        return [fetch(place)]
    path = Path(place)
    if is_there(path) and not path.is_dir():
        return [path]  # Also what is no file: opening it says what it is.
    is_glob = any(sign in place for sign in "*?[") and not is_there(path)
    if not is_there(path) and not is_glob:
        raise missing_file(path)
    # A relative pattern is what `Path.glob` takes, so an absolute one starts from the root.
    start, pattern = (Path(path.anchor), place[len(path.anchor) :]) if is_glob else (path, "*")
    found = sorted(entry for entry in start.glob(pattern) if is_file(entry))
    files = [entry for entry in found if not entry.name.startswith(".")]
    if not files:
        raise DataError(f"{place}: {'no file matches' if is_glob else 'the folder holds no files'}")
    return files


def missing_file(path: Path) -> DataError:
    """Returns the error on a file that is not there, with the nearest name in its folder."""
    near = did_you_mean(path.name, names_beside(path))
    return DataError(f"{path}: there is no such file{near and '.' + near}")


def fetch(address: str) -> Path:
    """Returns the file behind an address: fetched once, later taken from the cache folder.

    What has changed behind the address since is not noticed.

    Raises:
        DataError: The server does not have the file.
        NotReadyError: The server cannot be reached.
    """
    name = PurePosixPath(unquote(urlsplit(address).path)).name[-100:].strip(". ") or "file"
    folder = cache_folder() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:32]

    def open_(folder: Path, meta: Any) -> Path | None:
        return path if (path := folder / str(meta["name"])).is_file() else None

    def build(folder: Path) -> dict[str, str]:
        # Imported here: most data lie in files, and this brings a library for the web along.
        from mtl_core.fetching.download import fetch_file

        fetch_file(address, folder / name)
        return {"name": name, "address": address}

    path = open_or_build(folder, open_, build)
    assert path is not None
    return path
