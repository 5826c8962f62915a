"""Logs a study from a process of its own, so that a service that hangs or dies holds up nothing."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from mtl_core.printable import one_line
from tuning.records import TrialRecord
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.final_rows import final_table
from tuning.watch.loggers.kinds import LoggerSection
from tuning.watch.loggers.logged import Logged
from tuning.watch.watcher import Watcher

if TYPE_CHECKING:
    from tuning.study.result import Result

logger = logging.getLogger(__name__)

_QUIET_SECONDS = 3.0
"""How long the end of a session waits for a logger without saying so."""

Message = tuple[str, tuple[Any, ...]]
"""Name of a method of `Following` and its arguments."""


class Apart(Watcher):
    """Passes what happens on to a process that logs; no call waits but `close`, and that not long.

    The process is in a session of its own: Ctrl-C does not reach it, and when this process is
    killed it logs what it was told, notes that running trials were interrupted, and ends.
    """

    def __init__(
        self,
        section: LoggerSection,
        study: LoggedStudy,
        records: Iterable[TrialRecord],
        *,
        patience_s: float = 60.0,
    ) -> None:
        """Starts the process when there is something to log.

        Args:
            section: The logger.
            study: The study.
            records: The runs of earlier sessions.
            patience_s: Seconds that `close` waits for what is still to be logged.
        """
        self._section = section
        self._study = study
        self._records = list(records)
        self._patience_s = patience_s
        self._messages: SimpleQueue[Message | None] = SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._logged = Logged(study.folder, section.kind, section.place(study))
        if self._lacks(self._records):
            self._start()

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        """Passes it on, unless the service has all of it."""
        if self._lacks(ended):
            self._pass_on("queued", run_ids, ended)

    def began(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._pass_on("began", record)

    def reported(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._pass_on("reported", record)

    def paused(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._pass_on("paused", record)

    def ended(self, record: TrialRecord) -> None:
        """Passes it on."""
        self._pass_on("ended", record)

    def finished(self, result: "Result") -> None:
        """Passes it on, unless the service has all of it."""
        if self._process is not None or not self._logged.has_table(final_table(result)):
            self._pass_on("finished", result)

    def close(self) -> None:
        """Waits for what is still to be logged; a process that hangs is ended."""
        process = self._process
        if process is None:
            return
        self._messages.put(None)
        name = self._section.name
        with suppress(subprocess.TimeoutExpired):
            process.wait(min(_QUIET_SECONDS, self._patience_s))
        if process.poll() is None:
            logger.warning("waiting for %s, up to %.0f s", name, self._patience_s)
        try:
            code = process.wait(max(0.0, self._patience_s - _QUIET_SECONDS))
        except subprocess.TimeoutExpired:
            # Its group: libraries have processes of their own, which would wait for ever.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            logger.warning(
                "%s did not take all of the study within %.0f s; the study folder has all of it, "
                "and the same command logs the rest",
                name, self._patience_s,
            )  # fmt: skip
            return
        finally:
            if self._listener is not None:
                self._listener.join(timeout=1.0)
        if code:
            logger.warning(
                "the process that logs to %s ended with exit code %d; the same command logs the "
                "rest",
                name, code,
            )  # fmt: skip

    def _lacks(self, records: Iterable[TrialRecord]) -> bool:
        return any(one.has_ended and not self._logged.has_all_of(one) for one in records)

    def _pass_on(self, what: str, *values: object) -> None:
        if self._process is None:
            self._start()
        self._messages.put((what, values))

    def _start(self) -> None:
        logger.info("logging to %s: %s", self._section.name, self._section.told(self._study))
        # What this process finds, the other one finds.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tuning.watch.loggers.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**self._section.environment, **os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )
        self._messages.put(("open", (self._section, self._study, self._records)))
        # Daemons: an interpreter that ends for any reason must not wait for them.
        threading.Thread(target=self._send, name="mtl-logger", daemon=True).start()
        self._listener = threading.Thread(target=self._listen, name="mtl-logger-says", daemon=True)
        self._listener.start()

    def _send(self) -> None:
        # A thread, since the pipe of a process that hangs is full before long.
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            while (message := self._messages.get()) is not None:
                pickle.dump(message, pipe)
                pipe.flush()

    def _listen(self) -> None:
        """Shows the lines that the process has for the user."""
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                # What servers say, too.
                text = one_line(line.decode(errors="replace").rstrip())
                logger.warning("%s: %s", self._section.name, text)
