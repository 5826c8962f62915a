"""A score against two parameters at once, and against all of them.

Optuna draws both, of a copy of the trials with the values that took effect: its journal has an
index for an `ordered` value, and one number less than a `simplex` has keys.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuning.records import TrialRecord, Value
from tuning.report.figures.drawing import (
    BEST,
    FAINT,
    OBJECTIVE,
    SCALE,
    Score,
    evenly,
    label,
    log_ticks,
    mixed,
)
from tuning.report.figures.parameters import (
    NO_SCALES,
    Scales,
    are_numbers,
    is_log,
    spelt,
    to_the_end,
    values_of,
)

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
    from plotly.graph_objects import Figure

_MOST_HEIGHTS, _MOST_LINES = 60, 100
"""Trials in a contour, whose size grows with their square, and in parallel coordinates."""


def contour(
    records: Sequence[TrialRecord],
    first: str,
    second: str,
    score: Score = OBJECTIVE,
    *,
    among: Sequence[TrialRecord] = (),
    scales: Scales = NO_SCALES,
) -> "Figure":
    """Draws a score on dev as heights over two parameters, of the trials that ran to their end.

    Of more than 60 such trials 60 are drawn, evenly spread over the order of `records`.

    Args:
        records: The trials.
        first: Dotted key of `run`, of numbers: between others there is nothing.
        second: Another one; see `pairs`.
        score: What is drawn.
        among: Trials over whose scores the colours span, so that figures of parts of them can be
            compared; none = `records`.
        scales: On which scales parameters were drawn.
    """
    from optuna.visualization import plot_contour

    study = _study(
        evenly(to_the_end(records, score), _MOST_HEIGHTS), (first, second), score, scales
    )
    figure = plot_contour(study, params=[label(first), label(second)], target_name=score.title)
    values = [score.of(record.best) for record in to_the_end(among or records, score)]
    figure.update_traces(
        zmin=min(values), zmax=max(values), colorscale=SCALE, selector={"type": "contour"}
    )
    figure.update_traces(
        marker={"color": "white", "line": {"color": "black", "width": 1}},
        selector={"type": "scatter"},
    )
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        if axis.type == "log":
            axis.update(log_ticks(*(10**end for end in axis.range)))
    return _restyled(figure, height=380)


def parallel(
    records: Sequence[TrialRecord],
    names: Sequence[str],
    score: Score = OBJECTIVE,
    *,
    scales: Scales = NO_SCALES,
) -> "Figure":
    """Draws each trial that ran to its end as a line over its score and its parameters.

    Of more than 100 such trials 100 are drawn, evenly spread over the order of `records`.

    Args:
        records: The trials; at least one ran to its end.
        names: Dotted keys of `run`.
        score: What colours the lines.
        scales: On which scales parameters were drawn.
    """
    from optuna.visualization import plot_parallel_coordinate

    shown = evenly(to_the_end(records, score), _MOST_LINES)
    # Later lines lie on top, and the best are to be seen.
    shown.sort(key=lambda record: score.of(record.best))
    study = _study(shown, names, score, scales)
    figure = plot_parallel_coordinate(study, target_name=score.title)
    return _restyled(_recoloured(figure), height=420)


def _recoloured(figure: "Figure") -> "Figure":
    """Returns parallel coordinates of Optuna's in colours that stand out on white and on black.

    Its own fade into one of the two, and so do the values beside the axes.
    """
    scale = [(0.0, FAINT), (1.0, BEST)]
    for line in figure.select_traces({"mode": "lines"}):
        # Its first point lies on the axis of the score, from 0 to 1.
        share = line.y[0]
        look = {"color": mixed(FAINT, BEST, share), "width": 1 + 2 * share}
        line.update(line=look, opacity=1)
    figure.update_traces(marker_colorscale=scale, selector={"mode": "markers"})
    return figure.update_annotations(font={"color": None, "size": 11})


def _restyled(figure: "Figure", *, height: int) -> "Figure":
    """Returns a figure of Optuna's with the look of ours."""
    # A title of its own would say what kind of figure it is, and paper and text have their colours
    # from where the figure stands.
    figure.update_layout(
        title=None, height=height, plot_bgcolor=None, margin={"l": 60, "r": 20, "t": 30, "b": 50}
    )
    figure.update_xaxes(automargin=True, exponentformat="e")
    figure.update_yaxes(automargin=True, exponentformat="e")
    return figure


def _study(
    records: Sequence[TrialRecord], names: Sequence[str], score: Score, scales: Scales
) -> "optuna.Study":
    """Returns trials as Optuna draws them: complete ones, with the values that took effect."""
    import optuna

    # At INFO it tells on stderr that a study was made.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    study.add_trials(shown_trials(records, names, [score], scales))
    return study


def shown_trials(
    records: Sequence[TrialRecord],
    names: Sequence[str],
    scores: Sequence[Score],
    scales: Scales = NO_SCALES,
) -> "list[FrozenTrial]":
    """Returns trials as Optuna draws them, their names and values as `label` spells them.

    Args:
        records: Trials with all of the scores.
        names: Their parameters that are wanted.
        scores: Become their values, shares in percent.
        scales: On which scales parameters were drawn.
    """
    import optuna

    domains = {name: _domain(name, values_of(records, name), scales) for name in names}
    is_numeric = {name: are_numbers(values_of(records, name)) for name in names}
    return [
        optuna.trial.create_trial(
            values=[score.of(record.best) for score in scores],
            params={
                label(name): record.parameters[name]
                if is_numeric[name]
                else spelt(record.parameters[name])
                for name in names
                if name in record.parameters
            },
            distributions={
                label(name): domains[name] for name in names if name in record.parameters
            },
        )
        for record in records
    ]


def _domain(name: str, values: Sequence[Value], scales: Scales) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not are_numbers(values):
        # A trial of a conditional space may have none; Optuna wants a choice all the same.
        return CategoricalDistribution([spelt(value) for value in values] or ["-"])
    numbers = [float(value) for value in values if value is not None]
    return FloatDistribution(min(numbers), max(numbers), log=is_log(name, values, scales))
