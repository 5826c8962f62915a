"""Fetches the files of a data set into the cache: whole, checked by SHA-256, each only once."""

import logging
import shutil
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pooch

from mtl_core.errors import CacheError, DataError, NotReadyError
from mtl_core.fetching.sources import Source
from mtl_core.files import remove, whole_file
from mtl_core.full_disk import telling_full_disks
from mtl_core.paths import cache_folder, fetched_folder

if TYPE_CHECKING:
    import requests

Advance = Callable[[int], None]
"""Called with the bytes that have come since the last call."""

SECONDS = 10
"""How long a server may be silent."""
_CHUNK = 1 << 16
"""Bytes that are written at a time."""
_TRIES_MORE = 1
"""How often a file is asked for again when the connection was cut or its content is wrong."""


def fetch_source(
    name: str, source: Source, *, mirror: str | None = None, advance: Advance = lambda _: None
) -> Path:
    """Puts the files of a data set into the cache; those that are there and right are kept.

    A file takes its place only when it is whole and its SHA-256 is right: killed in between, the
    next call goes on with the files that lack.

    Args:
        name: Name of the data set: its folder in the cache.
        source: Its row in the table.
        mirror: Address or folder that holds the files as NAME/FILE; None = where the table says.
        advance: Hears of the progress.

    Returns:
        The folder of the data set.

    Raises:
        DataError: A file is not there, or is another one than the table says.
        NotReadyError: The server cannot be reached, or breaks off.
        CacheError: The cache folder cannot be written.
        StorageError: The disk takes no more.
    """
    cache_folder()  # for its error
    folder = fetched_folder() / name
    for file, entry in source.files.items():
        address = source.address(file) if mirror is None else f"{mirror.rstrip('/')}/{name}/{file}"
        _fetch(folder / file, address, entry.sha256, advance)
    return folder


def fetch_file(address: str, path: Path) -> None:
    """Fetches a file whose content nobody knows beforehand.

    Raises:
        DataError: The server does not have the file.
        NotReadyError: The server cannot be reached, or breaks off.
    """
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            address, known_hash=None, fname=path.name, path=path.parent, downloader=_download
        )
    except requests.RequestException as error:
        raise _error(error)(f"{address}: cannot be fetched: {_reason(error)}") from error


def _fetch(path: Path, address: str, sha256: str, advance: Advance) -> None:
    import requests

    # It tells every step on a line of its own.
    pooch.get_logger().setLevel(logging.WARNING)
    if not path.is_file():
        remove(path)  # A folder or a pipe, which pooch would wait for.
    manager = pooch.create(
        path.parent,
        base_url="",
        registry={path.name: f"sha256:{sha256}"},
        urls={path.name: address},
        retry_if_failed=_TRIES_MORE,
    )
    is_web = address.startswith(("http://", "https://"))
    try:
        with telling_full_disks(path):
            manager.fetch(path.name, downloader=_download if is_web else _copy)
            if not path.stat().st_mode & 0o066:
                # Made by `tempfile` for its user alone: it gets the mode of a new file.
                with whole_file(path) as part:
                    path.replace(part)
        advance(path.stat().st_size)
    except requests.HTTPError as error:
        raise _error(error)(f"{address}: cannot be fetched: {_reason(error)}") from error
    except requests.RequestException as error:
        raise _error(error)(
            f"{address}: cannot be fetched: {_reason(error)}; a mirror or a folder of the files is "
            "named by --from or MTL_FETCH_FROM"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{address}: expected the SHA-256 {sha256}, found another: the file is not the one "
            "that the study was made with, or was cut; nothing was kept"
        ) from error
    except FileNotFoundError as error:
        raise DataError(f"{address}: there is no such file") from error
    except OSError as error:
        raise CacheError(f"{path}: cannot write the file: {error.strerror}") from error


def _download(address: str, output: Any, _: pooch.Pooch | None) -> None:
    # Not pooch's own, which leaves the connection open where the server says no.
    import requests

    with requests.get(address, timeout=SECONDS, stream=True) as answer:
        answer.raise_for_status()
        with Path(output).open("wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)


def _copy(address: str, output: Any, _: pooch.Pooch | None) -> None:
    """Copies a file of this machine, named by path or as file://."""
    shutil.copyfile(Path(address.removeprefix("file://")).expanduser(), output)


def _error(error: "requests.RequestException") -> type[DataError | NotReadyError]:
    """Returns what an error of the web is to the user: one of the address, or of this moment."""
    import requests

    if error.response is not None:
        is_of_server = error.response.status_code >= 500  # RFC 9110, 15.6
        is_too_soon = error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        return NotReadyError if is_of_server or is_too_soon else DataError
    is_of_network = isinstance(error, requests.Timeout | requests.ConnectionError)
    is_cut = isinstance(error, requests.exceptions.ChunkedEncodingError)
    return NotReadyError if is_of_network or is_cut else DataError


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {SECONDS} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    return type(error).__name__
