"""The Pareto front of a study with several objectives."""

import math
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from mtl_core.scores import main_scores
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.report.figures.drawing import APART, BEST, FAINT, PLAIN, Score, begun, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter


def front(
    records: Sequence[TrialRecord],
    goal: Goal,
    *,
    chosen: str | None = None,
    tasks: tuple[str, str] | None = None,
) -> "Figure":
    """Draws the trials of a study over two of its objectives: the front, and which one is chosen.

    A front of more objectives is drawn over two of them; what seems beaten there is better in
    another.

    Args:
        records: All trials; those without a score in each objective are left out.
        goal: Of a study with several objectives.
        chosen: Id of the chosen trial.
        tasks: Two of the objectives; None = the first two.
    """
    across, up = tasks or goal.tasks[:2]
    names = {task: name for record in records for task, name in _names(record).items()}
    x, y = Score(across, names.get(across, "")), Score(up, names.get(up, ""))
    shown = [record for record in records if _has_values(record, goal)]
    ahead = {record.id for record in goal.front(shown)}
    misses = {record.id for record in shown if goal.missed(record) > 0}
    kinds = {record.id: _kind(record, chosen, ahead, misses) for record in shown}
    traces = [
        _dots([record for record in shown if kinds[record.id] == kind], kind, x, y)
        for kind in _LOOKS
    ]
    figure = begun(*traces, x=x.title, y=y.title)
    for task, score, add in ((across, x, figure.add_vline), (up, y, figure.add_hline)):
        if task in goal.floors:
            add(score.shown(goal.floors[task]), line_dash="dot", line_color=FAINT)
    return figure


def _kind(
    record: TrialRecord, chosen: str | None, ahead: Container[str], misses: Container[str]
) -> str:
    """Returns what a trial is drawn as, which is one of `_LOOKS`."""
    if record.id == chosen:
        return "chosen"
    if record.id in ahead:
        return "front"
    if record.id in misses:
        return "misses a limit"
    return "beaten" if record.status == "complete" else "not to the end"


_LOOKS = {
    "not to the end": (FAINT, "x-thin-open", 8),
    "misses a limit": (APART, "triangle-down-open", 9),
    "beaten": (PLAIN, "circle-open", 8),
    "front": (PLAIN, "circle", 10),
    "chosen": (BEST, "star", 15),
}
"""What a trial is -> its colour, symbol and size."""


def _dots(records: Sequence[TrialRecord], kind: str, x: Score, y: Score) -> "Scatter":
    import plotly.graph_objects as go

    colour, symbol, size = _LOOKS[kind]
    return go.Scatter(
        x=[x.of(record.best) for record in records],
        y=[y.of(record.best) for record in records],
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": size},
        text=[f"trial {label(record.id)}, {kind}" for record in records],
        hovertemplate="%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
        name=kind,
    )


def _has_values(record: TrialRecord, goal: Goal) -> bool:
    if record.status == "failed" or record.best is None:
        return False
    return all(map(math.isfinite, goal.values(record.best)))


def _names(record: TrialRecord) -> dict[str, str]:
    found = main_scores(record.best.dev) if record.best is not None else {}
    return {task: name for task, (name, _) in found.items()}
