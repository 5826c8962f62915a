"""Where the project keeps what it can build again."""

import os
from pathlib import Path

from mtl_core.errors import CacheError


def cache_folder() -> Path:
    """Returns the cache folder: `$MTL_CACHE`, or `mtl` in the user's cache folder; makes it.

    Raises:
        CacheError: The folder cannot be made.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mtl"
    folder = Path(os.environ.get("MTL_CACHE", default))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"{folder}: cannot make the cache folder: {error.strerror}; "
            "set MTL_CACHE to a folder that can be written"
        ) from error
    return folder
