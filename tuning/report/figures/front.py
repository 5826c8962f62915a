"""The Pareto front of a study with several objectives."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtl_core.scores import main_scores
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.report.figures.drawing import BLUE, GREY, ORANGE, Score, begun, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


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
    import plotly.graph_objects as go

    across, up = tasks or goal.tasks[:2]
    names = {task: name for record in records for task, name in _names(record).items()}
    x, y = Score(across, names.get(across, "")), Score(up, names.get(up, ""))
    shown = [
        record
        for record in records
        if record.status != "failed"
        and record.best is not None
        and all(map(math.isfinite, goal.values(record.best)))
    ]
    ahead = {record.id for record in goal.front(shown)}
    groups = (
        ("not to the end", GREY, "circle-open", lambda one: one.status != "complete"),
        ("beaten", BLUE, "circle-open", lambda one: one.status == "complete"),
        ("front", BLUE, "circle", lambda one: one.id in ahead),
        ("chosen", ORANGE, "star", lambda one: one.id == chosen),
    )
    # Each trial is drawn once, as the last of what it is.
    kind = {
        record.id: [name for name, _, _, holds in groups if holds(record)][-1] for record in shown
    }
    traces = []
    for name, colour, symbol, _ in groups:
        some = [record for record in shown if kind[record.id] == name]
        if name == "front":
            some.sort(key=lambda record: x.of(record.best))
        traces.append(
            go.Scatter(
                x=[x.of(record.best) for record in some],
                y=[y.of(record.best) for record in some],
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 14 if name == "chosen" else 9},
                text=[f"trial {label(record.id)}, {name}" for record in some],
                hovertemplate="%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
                name=name,
            )
        )
    figure = begun(*traces, x=x.title, y=y.title)
    for task, score, add in ((across, x, figure.add_vline), (up, y, figure.add_hline)):
        if task in goal.floors:
            add(score.shown(goal.floors[task]), line_dash="dot", line_color=GREY)
    return figure


def _names(record: TrialRecord) -> dict[str, str]:
    found = main_scores(record.best.dev) if record.best is not None else {}
    return {task: name for task, (name, _) in found.items()}
