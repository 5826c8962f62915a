"""A score against one parameter."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from tuning.records import TrialRecord
from tuning.report.figures.drawing import (
    FAINT,
    OBJECTIVE,
    PLAIN,
    Score,
    begun,
    evenly,
    label,
    log_ticks,
    of_trial,
)
from tuning.report.figures.parameters import (
    NO_SCALES,
    Scales,
    are_numbers,
    is_log,
    spelt,
    values_of,
    with_score,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

_MOST_DOTS = 300
"""Trials in a figure."""


def slice_of(
    records: Sequence[TrialRecord],
    parameter: str,
    score: Score = OBJECTIVE,
    *,
    scales: Scales = NO_SCALES,
) -> "Figure":
    """Draws a score on dev of each trial against one of its parameters.

    Trials that were stopped early are grey: their scores are of fewer epochs. Of more than 300
    trials 300 are drawn, evenly spread over the order of `records`.

    Args:
        records: The trials; those without the parameter, or without the score, are left out.
        parameter: Dotted key of `run`.
        score: What is drawn.
        scales: On which scales parameters were drawn.
    """
    shown = [one for one in with_score(records, score) if parameter in one.parameters]
    shown = evenly(shown, _MOST_DOTS)
    values = values_of(shown, parameter)
    ran = [record for record in shown if record.status == "complete"]
    others = [record for record in shown if record.status != "complete"]
    is_numeric = are_numbers(values)
    dots = partial(_dots, parameter, score, is_numeric=is_numeric)
    figure = begun(
        dots(others, FAINT, "not to the end"),
        dots(ran, PLAIN, "to the end"),
        x=label(parameter),
        y=score.title,
        height=300,
    )
    if not is_numeric:
        order = [spelt(value) for value in values]
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    elif is_log(parameter, values, scales):
        numbers = [float(value) for value in values if value is not None]
        # A bit beyond both ends, as the axis is.
        figure.update_xaxes(type="log", **log_ticks(0.9 * min(numbers), 1.1 * max(numbers)))
    return figure


def _dots(
    parameter: str,
    score: Score,
    records: Sequence[TrialRecord],
    colour: str,
    name: str,
    *,
    is_numeric: bool,
) -> "Scatter":
    import plotly.graph_objects as go

    given = [record.parameters[parameter] for record in records]
    return go.Scatter(
        x=[value if is_numeric else spelt(value) for value in given],
        y=[score.of(record.best) for record in records],
        mode="markers",
        marker={"color": colour, "size": 8, "opacity": 0.75},
        text=[of_trial(record) for record in records],
        hovertemplate="%{text}: %{y:.2f} at %{x}<extra></extra>",
        name=name,
    )
