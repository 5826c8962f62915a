"""Where the files of a split lie: paths, folders, globs and addresses, which are fetched once."""

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mtl_core.errors import DataError
from mtl_core.files import open_or_build
from mtl_core.paths import cache_folder
from mtl_core.section import is_address

TIMEOUT_S = 8
"""Seconds that a server may be silent."""


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
    if path.is_file():
        return [path]
    is_glob = any(sign in place for sign in "*?[") and not path.exists()
    if not path.exists() and not is_glob:
        raise DataError(f"{place}: there is no such file")
    # A relative pattern is what `Path.glob` takes, so an absolute one starts from the root.
    start, pattern = (Path(path.anchor), place[len(path.anchor) :]) if is_glob else (path, "*")
    found = sorted(entry for entry in start.glob(pattern) if entry.is_file())
    files = [entry for entry in found if not entry.name.startswith(".")]
    if not files:
        raise DataError(f"{place}: {'no file matches' if is_glob else 'the folder holds no files'}")
    return files


def fetch(address: str) -> Path:
    """Returns the file behind an address: fetched once, later taken from the cache folder.

    What has changed behind the address since is not noticed.

    Raises:
        DataError: The server cannot be reached, or does not have the file.
    """
    name = PurePosixPath(unquote(urlsplit(address).path)).name[-100:].strip(". ") or "file"
    folder = cache_folder() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:32]

    def open_(folder: Path, meta: Any) -> Path | None:
        return path if (path := folder / str(meta["name"])).is_file() else None

    def build(folder: Path) -> dict[str, str]:
        _download(address, folder / name)
        return {"name": name, "address": address}

    path = open_or_build(folder, open_, build)
    assert path is not None
    return path


def _download(address: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
            promised = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        raise DataError(f"{address}: cannot fetch the file: {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        # urllib wraps the reason; what it says itself is "<urlopen error ...>".
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{address}: cannot fetch the file: {reason}") from error
    found = path.stat().st_size
    if promised is not None and int(promised) != found:
        raise DataError(
            f"{address}: cannot fetch the file: the connection ended after {found:,} of "
            f"{int(promised):,} bytes"
        )
