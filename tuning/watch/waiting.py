"""A sign of life for commands whose output comes at the end: on stderr, so that it stays apart."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tuning.watch.console import can_redraw, plain_console
from tuning.watch.plain_lines import QUIET_SECONDS
from tuning.watch.ticker import Ticker
from tuning.watch.wording import clock


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Says what is waited for: a clock that goes away on a terminal, else a line now and then.

    Yields:
        A function that replaces what is said.
    """
    # Output on stdout may go into a pipe, as that of `mtl predict --json` does.
    console = plain_console(stderr=True)
    if can_redraw(console):
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda text: progress.update(task, description=text)
        return
    start, said = time.monotonic(), [what]

    def tell() -> None:
        console.print(f"[{clock(time.monotonic() - start)}] {said[0]}", soft_wrap=True)

    def replace(text: str) -> None:
        said[0] = text

    with Ticker(QUIET_SECONDS, tell):
        yield replace
