"""The process that logs to a service, and what it reads: messages of an `Apart` on its input."""

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO

from mtl_core.files import locked
from mtl_core.reasons import reason_of
from tuning.records import TrialRecord
from tuning.watch.loggers.apart import Message
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.following import Following
from tuning.watch.loggers.kinds import LoggerSection
from tuning.watch.loggers.logged import Logged, path_of

_LOCK_SECONDS = 600.0
"""How long it waits for another process that logs to the same place."""


def main() -> None:
    """Logs until the input ends, by `Apart.close` or by the end of the process that writes it."""
    # Libraries print as they like, into the log of the study; the output has lines for the user.
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def tell(line: str) -> None:
        print(line, file=said, flush=True)

    messages = iter(lambda: _next(sys.stdin.buffer), None)
    first = next(messages, None)
    if first is not None:
        section, study, records = first[1]
        follow(section, study, records, messages, tell)


def _next(pipe: BinaryIO) -> Message | None:
    try:
        message: Message = pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError):  # The other process has ended, or was killed.
        return None
    return message


def follow(
    section: LoggerSection,
    study: LoggedStudy,
    records: Iterable[TrialRecord],
    messages: Iterable[Message],
    tell: Callable[[str], None],
) -> None:
    """Logs what messages tell; whatever goes wrong is told, and ends nothing but the logging.

    Args:
        section: The logger.
        study: The study.
        records: The runs of earlier sessions.
        messages: What happens, in its order.
        tell: Tells the user a line.
    """
    place = section.place(study)
    try:
        # The process of an earlier session may still log what it was told.
        with locked(path_of(study.folder, section.kind, place)).acquire(timeout=_LOCK_SECONDS):
            logged = Logged(study.folder, section.kind, place)
            following = Following(section.open(study), logged, records, tell)
            for what, values in messages:
                getattr(following, what)(*values)
            following.close()
    # An import that fails, say: with a traceback alone nobody would know.
    except Exception as error:  # noqa: BLE001
        tell(f"{reason_of(error)}; nothing more is logged in this session")


if __name__ == "__main__":
    main()
