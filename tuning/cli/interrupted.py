"""What a command says when Ctrl-C ends it: where its work lies, and how it goes on."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.watch.json_lines import EventLines


def command_again(
    command: str, study: str, assignments: Sequence[str], options: Mapping[str, object]
) -> str:
    """Returns what was typed, quoted anew for the shell: the same command goes on.

    Args:
        command: Its name.
        study: The study that it was given.
        assignments: What `--set` was given.
        options: Other options -> their values; None = it was not given.
    """
    words = ["mtl", command, study]
    words += [word for assignment in assignments for word in ("--set", assignment)]
    words += [str(w) for option, value in options.items() if value for w in (option, value)]
    return shlex.join(words)


def tell_interrupted(again: str, folder: Path | None, lines: "EventLines | None" = None) -> None:
    """Says, on stderr, that a command was interrupted, and how it goes on.

    Args:
        again: The command that goes on.
        folder: Where its work lies, if it was begun; None = there is nothing to go on with, and
            nothing is said.
        lines: Has an event of it, too.
    """
    if folder is not None:
        done = f"what was done is in {folder}" if folder.exists() else "nothing was begun"
        sys.stderr.write(f"Interrupted; {done}. The same command goes on: {again}\n")
    if lines is not None:
        from tuning.watch.events import InterruptedEvent

        lines.write(InterruptedEvent(go_on=again))
