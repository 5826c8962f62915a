"""What a command finds when it starts: its streams, the current folder, variables; made usable."""

import codecs
import os
import sys

from mtl_core.errors import ConfigError

_FOLDERS = (
    "HOME", "TMPDIR", "MTL_CACHE",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
    "HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_XET_CACHE", "TORCH_HOME",
)  # fmt: skip
"""Variables that name folders; of the libraries, too, which take an empty one for the current."""
_SMALLEST = {"COLUMNS": 20, "LINES": 2}
"""Sizes of a terminal in which something can be read; of a smaller one the usual size is taken."""
_ESCAPES = "mtl.escapes"


def prepare() -> None:
    """Makes what is around a command usable; called before anything else is imported.

    A closed stream reads and writes nothing. An empty variable counts as not set. A stream that
    does not take a character, of a terminal in ASCII, gets it as JSON escapes it.

    Raises:
        ConfigError: The current folder is gone, or there is no home folder.
    """
    _open_streams()
    _spell_out()
    for name in _FOLDERS:
        if not os.environ.get(name, "?").strip():
            del os.environ[name]
    for name, smallest in _SMALLEST.items():
        found = os.environ.get(name, "")
        if name in os.environ and not (found.isdecimal() and smallest <= int(found[:9]) < 10_000):
            del os.environ[name]
    _check_folders()


def _open_streams() -> None:
    """Puts the null device in place of streams that were closed by whoever started this."""
    # Else the next file that is opened would get the number of stdout, and what libraries print
    # would stand in it.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open as long as the process.
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, stream)


def _spell_out() -> None:
    codecs.register_error(_ESCAPES, _escaped)
    for stream in (sys.stdout, sys.stderr):
        # Whoever runs a command inside of another program may have put something else there.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ESCAPES)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Returns what stands for characters that an encoding lacks: as in JSON, also in JSON."""
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end]
    units = found.encode("utf-16-be", "surrogatepass")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs), error.end


def _check_folders() -> None:
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        raise ConfigError(
            "the current folder is not there any more; go to another one: cd"
        ) from error
    # Libraries would make a folder of that name in the current one.
    if os.path.expanduser("~") == "~":  # noqa: PTH111
        raise ConfigError(
            "there is no home folder: HOME is not set, and the system does not know the user; set "
            "HOME to a folder that can be written"
        )
    if cache := os.environ.get("MTL_CACHE"):
        # Workers may have another current folder.
        os.environ["MTL_CACHE"] = os.path.abspath(cache)  # noqa: PTH100
