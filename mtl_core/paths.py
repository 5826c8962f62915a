"""The cache folder: where encoded data and other things that can be built again are kept."""

import os
from pathlib import Path

import platformdirs

from mtl_core.errors import CacheError


def cache_folder() -> Path:
    """Returns the cache folder, and makes it.

    It is `$MTL_CACHE`, or `mtl` where the system keeps caches: `$XDG_CACHE_HOME` or `~/.cache` on
    Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.

    Raises:
        CacheError: The folder cannot be made.
    """
    folder = Path(
        os.environ.get("MTL_CACHE") or platformdirs.user_cache_path("mtl", appauthor=False)
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"{folder}: cannot make the cache folder: {error.strerror}; "
            "set MTL_CACHE to a folder that can be written"
        ) from error
    return folder
