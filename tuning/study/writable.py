"""Whether the folder of a study can be written, asked without making it."""

import os
from pathlib import Path

from mtl_core.errors import ConfigError


def check_writable(folder: Path) -> None:
    """Refuses a study folder that could not be made or written, without making it.

    Raises:
        ConfigError: A file stands in the way, or a permission is missing.
    """
    # Not `Path.exists`, which raises below a folder that may not be entered.
    nearest = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
    if not nearest.is_dir():
        raise not_writable(folder, f"{nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise not_writable(folder, f"no permission to write in {nearest}")


def not_writable(folder: Path, reason: str | None) -> ConfigError:
    """Returns what is said of a study folder that cannot be written."""
    return ConfigError(
        f"study.storage: cannot write to {folder}: {reason}; "
        "choose another folder: --set study.storage=FOLDER"
    )
