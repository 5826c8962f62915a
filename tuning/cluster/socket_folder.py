"""A folder for the files of a Ray of our own whose path is short enough for its sockets."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LONGEST_SOCKET = 103
"""Bytes that the path of a socket may have on every system: 107 on Linux, 103 on macOS."""

_BELOW = len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store.1")
"""What Ray adds to its folder in the longest name of a socket."""


@contextlib.contextmanager
def short_folder() -> Iterator[Path | None]:
    """Gives a new short folder where the usual one is too long for Ray; None where it is not.

    Batch systems give each job a TMPDIR of its own, often of a hundred characters. The new folder
    is removed at the end.
    """
    if fits(_usual_folder()):
        yield None
        return
    with tempfile.TemporaryDirectory(
        prefix="mtl-", dir=_short_place(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def fits(folder: Path) -> bool:
    """Returns whether the sockets of a Ray in this folder have paths that systems take."""
    return len(os.fsencode(folder)) + _BELOW <= _LONGEST_SOCKET


def _usual_folder() -> Path:
    # Where Ray goes by itself, in its order.
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp", "ray")


def _short_place() -> Path:
    """Returns a short folder that can be written to: /tmp, or the user's run-time folder."""
    places = [Path("/tmp"), Path(os.environ.get("XDG_RUNTIME_DIR", "/var/tmp")), Path.home()]
    writable = [place for place in places if os.access(place, os.W_OK | os.X_OK)]
    # Without any the usual one is as good: what Ray says of it is then said.
    return next((place for place in writable if fits(place / "mtl-12345678")), Path("/tmp"))
