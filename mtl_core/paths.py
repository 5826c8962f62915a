"""The cache folder: where encoded data, fetched data and other things that can be had again lie."""

import math
import os
from pathlib import Path, PurePosixPath

import platformdirs

from mtl_core.addresses import not_local
from mtl_core.errors import CacheError

FETCHED = "fetched:"
"""What a path begins with that names data which `mtl fetch` puts into the cache."""


def cache_folder() -> Path:
    """Returns the cache folder, and makes it.

    It is `$MTL_CACHE`, or `mtl` where the system keeps caches: `$XDG_CACHE_HOME` or `~/.cache` on
    Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.

    Raises:
        CacheError: The folder cannot be made, or is an address.
    """
    folder = cache_path()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "there is a file" if isinstance(error, FileExistsError) else error.strerror
        raise CacheError(
            f"{folder}: cannot make the cache folder: {reason}; "
            "set MTL_CACHE to a folder that can be written"
        ) from error
    return folder


def encoded_bytes() -> int:
    """Returns the bytes that encoded data may take in the cache: `$MTL_CACHE_GIB`, or 50 GiB.

    Raises:
        CacheError: The variable is no number of GiB.
    """
    text = os.environ.get("MTL_CACHE_GIB") or "50"
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 2**30:
        raise CacheError(f"MTL_CACHE_GIB: expected a number of GiB, such as 50, found '{text}'")
    return int(number * 2**30)


def fetched_folder() -> Path:
    """Returns the folder of fetched data, a folder for each data set; it may not be there yet."""
    return (cache_path() / "fetched").resolve()


def fetched_path(text: str) -> Path:
    """Returns where the data `fetched:NAME/FILE` lies once it is fetched.

    Raises:
        ValueError: The text names nothing below the folder of fetched data.
    """
    name = PurePosixPath(text.removeprefix(FETCHED))
    if not name.parts or name.is_absolute() or ".." in name.parts:
        raise ValueError(f"expected {FETCHED}NAME, such as {FETCHED}snips, found '{text}'")
    return fetched_folder() / name


def cache_path() -> Path:
    """Returns where the cache folder is, or would be; see `cache_folder`.

    Raises:
        CacheError: It is an address.
    """
    if wrong := not_local(os.environ.get("MTL_CACHE", "")):
        raise CacheError(f"MTL_CACHE: {wrong}")
    return Path(os.environ.get("MTL_CACHE") or platformdirs.user_cache_path("mtl", appauthor=False))
