"""How commands tell of an error: lines on standard error, and for programs an event as well."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from mtl_core.errors import ConfigError, MtlError, StorageError
from mtl_core.extras import is_extra, missing
from mtl_core.full_disk import disk_code, storage_error


def told(error: Exception) -> tuple[Sequence[str], int] | None:
    """Returns the lines and the exit code of an error that a user can mend; None of a bug."""
    if isinstance(error, MtlError):  # A study file has all its errors at once, one per line.
        # A folder that cannot be made on a full disk is not the wrong one.
        is_of_disk = disk_code(error) is not None
        return error.lines, (StorageError if is_of_disk else error).exit_code
    # A module of ours that is missing, or one that no extra brings, is a bug.
    if isinstance(error, ModuleNotFoundError) and is_extra(error.name):
        return [missing(str(error.name))], ConfigError.exit_code
    # Files say where they could not be written; this is what else is: stdout, a log, or a library
    # that wraps the error of the disk in one of its own.
    full = storage_error(error)
    if full is not None:
        _drop_stdout()
        return full.lines, full.exit_code
    return None


def leave(lines: Sequence[str], code: int) -> NoReturn:
    """Ends the process with an error.

    Args:
        lines: What is wrong.
        code: The exit code.
    """
    from mtl_core.printable import one_line, shortened

    # An error may quote a file, with whatever characters there are in it.
    for line in lines:
        sys.stderr.write(f"error: {shortened(one_line(line))}\n")
    tell_programs(lines, code)
    sys.exit(code)


def tell_programs(lines: Sequence[str], code: int) -> None:
    """Writes the event of an error on standard output, where events were asked for.

    Args:
        lines: What is wrong.
        code: What the command ends with.
    """
    # By the words of the command line: an error may come before they were understood.
    if not {"tune", "--json"} <= set(sys.argv[1:]):
        return
    from tuning.watch.events import ErrorEvent, line_of

    try:
        sys.stdout.write(line_of(ErrorEvent(lines=tuple(lines), exit_code=code)) + "\n")
        sys.stdout.flush()
    except OSError:  # Nobody reads it, or the disk is full: the exit code says it.
        _drop_stdout()


def _drop_stdout() -> None:
    # What waits in the buffer would fail once more when Python ends, with a message of its own.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
