"""The log file of a study: what happens, with levels and times, beside what libraries log."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.full_disk import storage_error
from mtl_core.printable import printable
from mtl_core.training.report import epochs_text
from tuning.records import TrialRecord, called
from tuning.watch.watcher import Watcher
from tuning.watch.wording import outcome, parameters, scores

logger = logging.getLogger(__name__)

FORMAT = "%(asctime)s %(levelname)-8s %(name)s: %(message)s"
_OURS = ("tuning", "mtl_core")
"""Packages whose messages the file has from INFO on; of others it has warnings and worse."""


class LogLines(Watcher):
    """Logs stages, reports and outcomes at INFO, failed trials at ERROR."""

    def stage(self, text: str) -> None:
        """Logs the stage."""
        logger.info("%s", text)

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Logs the size of the search."""
        logger.info(
            "searching: %d trials of up to %d epochs, %d ended before, %d at a time",
            trials, epochs, len(ended), trainers,
        )  # fmt: skip

    def began(self, record: TrialRecord) -> None:
        """Logs the recipe."""
        logger.info("%s began: %s", called(record.id), parameters(record))

    def reported(self, record: TrialRecord) -> None:
        """Logs the scores of a report."""
        report = record.reports[-1]
        logger.info(
            "%s epoch %s: combined %.4f%s  %s  %.0f sentences/s  %.1f s",
            called(record.id), epochs_text(report.progress), report.combined,
            " on a sample of dev" if report.is_sample else "", scores(record),
            report.sentences_per_second, report.seconds,
        )  # fmt: skip

    def paused(self, record: TrialRecord) -> None:
        """Logs how far it came."""
        self.ended(record)

    def ended(self, record: TrialRecord) -> None:
        """Logs the outcome."""
        level = logging.ERROR if record.status == "failed" else logging.INFO
        logger.log(level, "%s", outcome(record))


@contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Logs to a file as well: all of this project, warnings of the libraries; appends to the file.

    Args:
        path: The file; None = no log file.

    Raises:
        ConfigError: It cannot be written.
    """
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--log-file: cannot write to {path}: {error.strerror}") from error
    handler.setFormatter(logging.Formatter(FORMAT))
    try:
        with logging_by(handler):
            yield
    finally:
        handler.close()


@contextmanager
def logging_by(handler: logging.Handler) -> Iterator[None]:
    """Logs through a handler as well: all of this project from INFO on, warnings of libraries."""
    root = logging.getLogger()
    # What goes elsewhere stays as it is, warnings and worse. The loggers below let INFO through, so
    # from now on the handlers that are there have to hold it back, unless they have a level.
    others = [other for other in root.handlers if other.level == logging.NOTSET]
    for other in others:
        other.setLevel(root.level)
    ours = [logging.getLogger(name) for name in _OURS]
    levels = [one.level for one in ours]
    handler.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        for one in ours:
            one.setLevel(logging.INFO)
        yield
    finally:
        # Everything back in its place, for a process that lives on.
        for one, level in zip(ours, levels, strict=True):
            one.setLevel(level)
        for other in others:
            other.setLevel(logging.NOTSET)
        root.removeHandler(handler)


@contextmanager
def only_ours() -> Iterator[None]:
    """Keeps what libraries log off standard error, where `log_to_stderr` shows it."""
    shown = [one for one in logging.getLogger().handlers if isinstance(one, _OnStderr)]
    for handler in shown:
        handler.addFilter(_is_ours)
    try:
        yield
    finally:
        for handler in shown:
            handler.removeFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS


def is_told_nowhere_else(record: logging.LogRecord) -> bool:
    """Returns whether a message is this project's, and nothing that watchers are told as well."""
    return _is_ours(record) and record.name != logger.name


class _LogFile(logging.FileHandler):
    """A log file; what a full disk does not take is left out, which is said once."""

    _is_full = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (Python's name)
        """Says in a line what Python would tell in a traceback for every message."""
        full = storage_error(error) if (error := sys.exc_info()[1]) is not None else None
        if full is None:
            super().handleError(record)
        elif not self._is_full:
            self._is_full = True
            sys.stderr.write(f"--log-file {self.baseFilename}: {full}; lines are missing in it\n")

    def close(self) -> None:
        """Closes the file, also when the disk does not take the last lines."""
        with suppress(OSError):
            super().close()


def log_to_stderr() -> None:
    """Shows warnings and worse on standard error, as the command line does."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_OnStderr()])
    # At the handlers and not at the logger: a logger's filter sees only what is logged on itself.
    for handler in logging.getLogger().handlers:
        handler.addFilter(spell_out)


class _Stderr:
    """Standard error as it is when something is written: a live display puts its own there.

    A handler that kept the stream of its making would write across the display.
    """

    def write(self, text: str) -> object:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _OnStderr(logging.StreamHandler[_Stderr]):
    """Shows what is logged on standard error."""

    def __init__(self) -> None:
        super().__init__(_Stderr())


def spell_out(record: logging.LogRecord) -> bool:
    """Lets a message through, with what data may have brought into it spelt out."""
    # Put together first, since an argument may hold what has to be spelt out. Without arguments the
    # text is not formatted again, so a "%" in it does no harm.
    record.msg, record.args = printable(record.getMessage()), ()
    return True
