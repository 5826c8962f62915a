"""The display that suits where the output goes: a terminal, a notebook, a file, or nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from tuning.watch.console import can_redraw, plain_console
from tuning.watch.json_lines import EventLines, JsonLines
from tuning.watch.live_table import LiveTable
from tuning.watch.notebook import NotebookView, is_notebook
from tuning.watch.plain_lines import PlainLines
from tuning.watch.state import StudyState
from tuning.watch.ticker import Ticker
from tuning.watch.watcher import Watcher, Watchers

_TICK_SECONDS = 1.0


class Display(Watchers):
    """The display of one study, and the state behind it."""

    def __init__(self, state: StudyState, *shown: Watcher) -> None:
        """Tells the state first, since `shown` reads from it what it shows."""
        super().__init__([state, *shown])
        self.rename = state.rename


def event_display(name: str, lines: EventLines) -> Display:
    """Returns the display of a study for programs.

    Args:
        name: What the study is called as long as its file has not been read.
        lines: Where its events go.
    """
    state = StudyState(name)
    return Display(state, JsonLines(state, lines))


@contextmanager
def study_display(
    name: str, *, is_quiet: bool = False, console: Console | None = None
) -> Iterator[Display]:
    """Shows a study as long as the context lasts; pass what it yields as the `watcher` of a study.

    Args:
        name: What the study is called as long as its file has not been read.
        is_quiet: Shows nothing.
        console: Where it is shown; default: standard output.
    """
    state = StudyState(name)
    console = console or plain_console()
    # A notebook is asked for before a terminal: its output is none, and yet can be redrawn.
    if is_quiet:
        yield Display(state)
    elif is_notebook():
        yield Display(state, NotebookView(state))
    elif can_redraw(console):
        with LiveTable(state, console) as table:
            yield Display(state, table)
    else:
        # The ticker, since nothing calls a watcher while the main thread waits in an import or in
        # `ray.init`, and a sign of life is due then too.
        lines = PlainLines(state, console)
        with Ticker(_TICK_SECONDS, lines.tick):
            yield Display(state, lines)
