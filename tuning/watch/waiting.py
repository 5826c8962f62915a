"""A sign of life for commands whose output comes at the end: on stderr, so that it stays apart."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tuning.watch.console import can_redraw, plain_console
from tuning.watch.plain_lines import QUIET_SECONDS
from tuning.watch.ticker import Ticker
from tuning.watch.wording import clock


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Says what is waited for: a clock that goes away on a terminal, else a line now and then."""
    # Output on stdout may go into a pipe, as that of `mtl predict --json` does.
    console = plain_console(stderr=True)
    if can_redraw(console):
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            progress.add_task(what, total=None)
            yield
        return
    start = time.monotonic()

    def tell() -> None:
        console.print(f"[{clock(time.monotonic() - start)}] {what}", soft_wrap=True)

    with Ticker(QUIET_SECONDS, tell):
        yield
