"""Learning curves: the score of each trial after each report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuning.records import DEFAULT_ID, TrialRecord
from tuning.report.figures.drawing import (
    BEST,
    DEFAULT,
    FAINT,
    OBJECTIVE,
    Score,
    begun,
    evenly,
    of_trial,
    shorter,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

_FEW_EPOCHS = 12
"""Up to which each epoch has a mark of its own."""
_TOLD = "%{text}: %{y:.2f} after %{x:.3g} epochs<extra></extra>"
"""When a pointer rests on a point."""
_MOST, _MOST_POINTS = 150, 2000
"""Curves in one figure, more would be a grey field; and about how many points they have."""


def learning_curves(
    records: Sequence[TrialRecord], score: Score = OBJECTIVE, *, best: str | None = None
) -> "Figure":
    """Draws a score on dev against the epochs of each trial.

    The best and the default stand out. Of many trials the first, and others evenly spread over
    the order of `records`, are drawn; reports on a sample of dev are left out.

    Args:
        records: The trials, the best first.
        score: What is drawn.
        best: Id of the trial that stands out as the best.
    """
    ahead = {DEFAULT_ID: ("default", DEFAULT, "dash")}
    if best is not None:
        ahead[best] = ("default, the best" if best == DEFAULT_ID else "best", BEST, "solid")
    drawn = [record for record in records if record.reports]
    others = [record for record in drawn if record.id not in ahead]
    points = max((len(record.reports) for record in others), default=1)
    most = min(_MOST, 1 + _MOST_POINTS // points)
    traces = [_others(evenly(others, most), score)] if others else []
    traces += [_one(record, score, *ahead[record.id]) for record in drawn if record.id in ahead]
    figure = begun(*traces, x="epochs", y=score.title)
    longest = max((record.progress for record in drawn), default=0.0)
    if 1 <= longest <= _FEW_EPOCHS:
        figure.update_xaxes(dtick=1)
    return figure


def _points(record: TrialRecord, score: Score) -> list[tuple[float, float]]:
    return [
        (shorter(report.progress), score.of(report))
        for report in record.reports
        if not report.is_sample
    ]


def _one(record: TrialRecord, score: Score, name: str, colour: str, dash: str) -> "Scatter":
    import plotly.graph_objects as go

    points = _points(record, score)
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        text=[of_trial(record)] * len(points),
        hovertemplate=_TOLD,
        mode="lines+markers",
        line={"color": colour, "width": 3, "dash": dash},
        name=f"{name}, {record.id}",
    )


def _others(records: Sequence[TrialRecord], score: Score) -> "Scatter":
    import plotly.graph_objects as go

    # One trace with gaps: hundreds of traces are slow to draw.
    x: list[float | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for record in records:
        for progress, value in _points(record, score):
            x.append(progress)
            y.append(value)
            text.append(of_trial(record))
        x.append(None)
        y.append(None)
        text.append("")
    return go.Scatter(
        x=x,
        y=y,
        text=text,
        hovertemplate=_TOLD,
        mode="lines+markers",
        line={"color": FAINT, "width": 1},
        marker={"size": 4},
        opacity=0.6,
        name="others",
    )
