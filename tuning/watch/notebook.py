"""The display in a notebook: the view of the terminal, redrawn in the cell's output."""

import sys
import time
from collections.abc import Sequence
from io import StringIO
from typing import Any

from tuning.records import TrialRecord
from tuning.trainers.messages import TrainerStatus
from tuning.watch.console import plain_console
from tuning.watch.live_table import study_view
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher

_REDRAW_SECONDS = 1.0
_COLUMNS = 110
_HTML = '<pre style="line-height: 1.2; white-space: pre">{code}</pre>'


def is_notebook() -> bool:
    """Returns whether this process is the kernel of a notebook."""
    # Not imported: a kernel has it already, and elsewhere it need not be installed.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # The shell of IPython on a terminal has no kernel.
    return shell is not None and hasattr(shell, "kernel")


class NotebookView(Watcher):
    """Draws in the thread that runs the cell: what other threads print may go to another cell."""

    def __init__(self, state: StudyState) -> None:
        """Shows `state`, which has to be told of everything before this display."""
        self._state = state
        self._handle: Any = None
        self._drawn = 0.0

    def stage(self, text: str) -> None:
        """Draws the stage."""
        self._draw()

    def planned(
        self, *, trials: int, ended: Sequence[TrialRecord], epochs: int, trainers: int
    ) -> None:
        """Draws the empty table."""
        self._draw()

    def progressed(self, trainers: Sequence[TrainerStatus]) -> None:
        """Draws what the trainers do, once a second."""
        if time.monotonic() - self._drawn >= _REDRAW_SECONDS:
            self._draw()

    def ended(self, record: TrialRecord) -> None:
        """Draws the ended trial."""
        self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        self._drawn = time.monotonic()
        # Shown once and then updated by its id: more output below would scroll the cell.
        html = HTML(as_html(self._state))
        if self._handle is None:
            self._handle = display(html, display_id=True)
        else:
            self._handle.update(html)


def as_html(state: StudyState) -> str:
    """Returns the view of a study as a piece of HTML."""
    # Drawn as on a terminal, into a file that nobody reads, and taken from the record as HTML.
    console = plain_console(
        record=True,
        width=_COLUMNS,
        file=StringIO(),
        force_terminal=True,
        force_jupyter=False,  # Rich would show each view of its own, one below the other.
    )
    console.print(study_view(state.snapshot()))
    return console.export_html(inline_styles=True, code_format=_HTML)
