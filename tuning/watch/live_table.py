"""The live display of `mtl tune` on a terminal: bars of what runs, a table of the best trials."""

from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mtl_core.training.report import epochs_text
from tuning.records import Status, TrialRecord
from tuning.watch.console import Printable
from tuning.watch.plain_lines import long_warning
from tuning.watch.state import Snapshot, StudyState
from tuning.watch.watcher import Watcher
from tuning.watch.wording import clock, left, parameters, standing, told_scores, trainers, work

_BEST_SHOWN = 5
"""Trials in the table: the best so far of those that ended or are paused."""

_RUNNING_SHOWN = 8
"""Running trials with a bar; a terminal has 24 lines."""

_LONG_SECONDS = 2 * 3600.0
"""An estimate that is worth a warning, as in `plain_lines`."""

_STYLES: dict[Status, str] = {
    "complete": "green",
    "stopped": "yellow",
    "failed": "red",
    "paused": "cyan",
}


class LiveTable(Watcher):
    """Redraws itself twice a second between enter and exit; its last state stays on the screen.

    It overrides no call of `Watcher`: a thread of Rich asks `state` for a snapshot at every redraw.
    """

    def __init__(self, state: StudyState, console: Console) -> None:
        """Shows `state`, which has to be told of everything before this display."""
        self._state = state
        # A function instead of a renderable, so that each redraw shows the newest state.
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=2,
            transient=False,
        )
        self._is_warned = False

    def __enter__(self) -> "LiveTable":
        """Starts drawing."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draws the last state, and stops."""
        self._live.stop()

    def _render(self) -> RenderableType:
        now = self._state.snapshot()
        if now.estimate and now.estimate.seconds > _LONG_SECONDS and not self._is_warned:
            self._is_warned = True
            warning = Text(long_warning(now), style="yellow")
            return Printable(Group(warning, study_view(now)))
        return Printable(study_view(now))


def study_view(now: Snapshot) -> RenderableType:
    """Returns what is shown of a study; nothing is cut from 60 columns on."""
    head = "  ".join(
        part for part in (now.stage, clock(now.seconds), left(now.estimate), trainers(now)) if part
    )
    title = Text.assemble((now.name, "bold"), "  ", head)
    if not now.trials:  # Before the search there is nothing to count.
        return title
    parts: list[RenderableType] = [title, _bars(now)]
    if now.best is not None:
        best = f"best so far, {now.best.id} with {standing(now.best, now.goal, now.front)}"
        parts.append(Text(f"{best}: {parameters(now.best)}"))
    if now.ranked or now.paused:
        parts.append(_table(now))  # Last: a terminal of few lines cuts what stands below.
    return Group(*parts)


def _bars(now: Snapshot) -> Table:
    """Returns a bar for the study and one for each running trial, with what is done on it."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, min_width=8)
    grid.add_column(overflow="fold")
    grid.add_row(
        "trials",
        ProgressBar(total=now.trials, completed=now.ended),
        Text(f"{now.ended}/{now.trials}"),
    )
    for record in now.running[:_RUNNING_SHOWN]:
        status = now.status_of(record)
        # Between two jobs, and while data and encoder are loaded, a trainer has no progress.
        share = status.progress.share if status is not None and status.progress else 0.0
        grid.add_row(
            Text(record.id),
            ProgressBar(total=1.0, completed=share),
            Text(work(record, status, now.epochs)),
        )
    if len(now.running) > _RUNNING_SHOWN:
        grid.add_row("", "", Text(f"and {len(now.running) - _RUNNING_SHOWN} more trials"))
    return grid


def _combined(record: TrialRecord) -> str:
    """Returns the combined score; "~" = on a sample of dev, as the trial has no other."""
    if record.best is None:
        on_sample = record.best_on_sample
        return "-" if on_sample is None else f"~{on_sample.combined:.4f}"
    return f"{record.best.combined:.4f}"


def _table(now: Snapshot) -> Table:
    """Returns the best trials; long cells take several lines, none is cut."""
    # Folded: by default Rich ends a long cell in an ellipsis, and scores stand at its end.
    table = Table(expand=True)
    several, front = bool(now.goal.tasks), now.front
    for name in ("trial", *(["front"] * several), "status", "epochs", "combined"):
        table.add_column(name, no_wrap=True)
    table.add_column("scores", overflow="fold", ratio=1)
    for record in now.goal.ranked((*now.ranked, *now.paused))[:_BEST_SHOWN]:
        table.add_row(
            Text(record.id),
            *([Text("yes" if record.id in front else "")] * several),
            Text(record.status, style=_STYLES.get(record.status, "")),
            Text(f"{epochs_text(record.progress)}/{now.epochs}"),
            Text(_combined(record)),
            Text(
                record.error or "" if record.status == "failed" else told_scores(record, now.goal)
            ),
        )
    return table
