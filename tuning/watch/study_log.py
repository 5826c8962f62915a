"""The log of a study: what happened in each session, and what Ray and libraries said meanwhile."""

import faulthandler
import logging
import os
import shlex
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from mtl_core.printable import one_line
from tuning.watch.console import number_of
from tuning.watch.log_lines import FORMAT, logging_by, only_ours, spell_out

logger = logging.getLogger(__name__)

_others = logging.getLogger("python")
"""Of what Python itself would print; no logger of ours, so that it is for the log alone."""

MOST_BYTES = 10 * 2**20
"""Size at which the older half of the file is dropped."""

_STDERR = 2


class StudyLog:
    """The log of one session: kept aside until the study folder is there, then in a file of it.

    What cannot be written is left out; a study never ends over its log.
    """

    def __init__(self) -> None:
        # Without a name: of a study that is refused nothing is left.
        with tempfile.TemporaryFile() as aside:
            self._file = os.dup(aside.fileno())
        self._path: Path | None = None
        self._has_stderr = False

    def keep_in(self, path: Path) -> None:
        """Appends what was written so far to a file, and writes there from now on."""
        try:
            # A study folder may come from a stranger: no link is followed, no pipe waited for.
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(path, flags, 0o666)
        except OSError as error:
            logger.warning("%s: cannot be written: %s; without a log", path, error.strerror)
            return
        if not stat.S_ISREG(os.fstat(file).st_mode):
            logger.warning("%s: expected a file; without a log", path)
            os.close(file)
            return
        self._path = path
        before = os.pread(self._file, MOST_BYTES, 0)
        os.dup2(file, self._file)
        os.close(file)
        if self._has_stderr:
            os.dup2(self._file, _STDERR)
        self.write(_header())
        self._write(before)

    def write(self, text: str) -> None:
        """Writes text, line ends included."""
        self._write(text.encode("utf-8", "backslashreplace"))

    def _write(self, content: bytes) -> None:
        with suppress(OSError):  # A full disk takes the line when it has room again.
            os.write(self._file, content)
            if self._path is not None and os.fstat(self._file).st_size > MOST_BYTES:
                self._drop_older_half()

    def _drop_older_half(self) -> None:
        kept = os.pread(self._file, MOST_BYTES, os.fstat(self._file).st_size - MOST_BYTES // 2)
        os.ftruncate(self._file, 0)
        os.write(self._file, b"(older lines were dropped)\n" + kept[kept.find(b"\n") + 1 :])

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)

    @contextmanager
    def taking_over(self) -> Iterator[None]:
        """Has all that comes from outside this project written here instead of on the console.

        That is what C++ writes to standard error, and what Python would print of warnings and of
        errors in threads. What this project and its user print, and errors that end the command,
        stay on the console: `sys.stderr` leads to it as before.
        """
        with ExitStack() as stack:
            stack.enter_context(self._stderr())
            stack.enter_context(_python_logged())
            stack.enter_context(only_ours())
            yield

    @contextmanager
    def _stderr(self) -> Iterator[None]:
        console, own = os.dup(_STDERR), sys.stderr
        is_console = number_of(own) == _STDERR
        with open(console, "w", buffering=1, encoding="utf-8", errors="backslashreplace") as ours:  # noqa: PTH123
            own.flush()
            if is_console:
                ours.reconfigure(encoding=own.encoding)
                sys.stderr = ours
            os.dup2(self._file, _STDERR)
            self._has_stderr = True
            # Before Ray does, which would have it print on the console.
            was_enabled = faulthandler.is_enabled()
            faulthandler.enable(_STDERR, all_threads=False)
            try:
                yield
            finally:
                if not was_enabled:
                    faulthandler.disable()
                self._has_stderr = False
                os.dup2(console, _STDERR)
                if is_console:
                    sys.stderr = own


@contextmanager
def study_log() -> Iterator[StudyLog]:
    """Opens the log of a session: it has all of this project, and warnings of libraries."""
    log = StudyLog()
    handler = _Lines(log)
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(spell_out)
    try:
        with logging_by(handler):
            yield log
    finally:
        log.close()


class _Lines(logging.Handler):
    """Writes what is logged into the log of a study."""

    def __init__(self, log: StudyLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.write(self.format(record) + "\n")


@contextmanager
def _python_logged() -> Iterator[None]:
    """Logs what Python would print: warnings, and errors that nobody is there to catch."""
    in_threads, in_vain = threading.excepthook, sys.unraisablehook

    def of_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "unknown"
        _log_error(f"in thread {name}", args.exc_type, args.exc_value, args.exc_traceback)

    def of_nobody(args: "sys.UnraisableHookArgs") -> None:
        where = f"{args.err_msg or 'ignored in'}: {args.object!r}"
        _log_error(where, args.exc_type, args.exc_value, args.exc_traceback)

    logging.captureWarnings(True)
    threading.excepthook, sys.unraisablehook = of_thread, of_nobody
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = in_threads, in_vain
        logging.captureWarnings(False)


def _log_error(
    where: str,
    kind: type[BaseException],
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    if kind is not SystemExit:
        _others.error("error %s", where, exc_info=(kind, error or kind(), trace))


def _header() -> str:
    words = shlex.join([Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]])
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"\n=== {when} process {os.getpid()}: {one_line(words)}\n"
