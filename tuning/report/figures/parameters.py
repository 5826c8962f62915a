"""Scores against parameters: one by one, two by two, and all of them at once.

Optuna draws the last two, of a copy of the trials with the values that took effect: its journal
has an index for an `ordered` value, and one number less than a `simplex` has keys.
"""

import json
import math
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from tuning.records import TrialRecord, Value, keys_of_all
from tuning.report.figures.drawing import (
    BLUE,
    GREY,
    OBJECTIVE,
    Score,
    begun,
    evenly,
    label,
    of_trial,
)

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
    from plotly.graph_objects import Figure, Scatter

_LOG_FROM = 20.0
"""High end over low end from which numbers are drawn on a log scale."""
_MOST_HEIGHTS, _MOST_LINES, _MOST_DOTS = 60, 100, 300
"""Trials in a contour, whose size grows with their square, in parallel coordinates, in a slice."""
_LEAST_TOGETHER = 4
"""Trials with both of two parameters under which a contour shows nothing."""


def varied(records: Sequence[TrialRecord]) -> list[str]:
    """Returns the parameters with more than one value among the trials that have a score."""
    scored = _scored(records, OBJECTIVE)
    names = keys_of_all(record.parameters for record in scored)
    return [name for name in names if len(_different(scored, name)) > 1]


def pairs(records: Sequence[TrialRecord], names: Sequence[str]) -> list[tuple[str, str]]:
    """Returns the pairs of parameters that a contour can show: numbers that trials have together.

    Args:
        records: The trials.
        names: Parameters, the most important first; so are the pairs.
    """
    ran = _ran(records, OBJECTIVE)

    def is_shown(pair: tuple[str, str]) -> bool:
        both = [record for record in ran if all(name in record.parameters for name in pair)]
        values = [_different(both, name) for name in pair]
        return len(both) >= _LEAST_TOGETHER and all(
            len(one) > 1 and _is_numeric(one) for one in values
        )

    found = [pair for pair in combinations(names, 2) if is_shown(pair)]
    return sorted(found, key=lambda pair: names.index(pair[1]))


def groups(records: Sequence[TrialRecord], parameter: str) -> dict[str, list[TrialRecord]]:
    """Returns value of a parameter, as it is shown -> the trials with it.

    Args:
        records: The trials.
        parameter: Dotted key of `run`.

    Returns:
        {} of a parameter whose values are numbers.
    """
    values = _different(records, parameter)
    if _is_numeric(values):
        return {}
    given = [record for record in records if parameter in record.parameters]
    return {
        text: [record for record in given if _spelt(record.parameters[parameter]) == text]
        for text in map(_spelt, values)
    }


def slice_of(records: Sequence[TrialRecord], parameter: str, score: Score = OBJECTIVE) -> "Figure":
    """Draws a score on dev of each trial against one of its parameters.

    Trials that were stopped early are grey: their scores are of fewer epochs. Of more than 300
    trials 300 are drawn, evenly spread over the order of `records`.

    Args:
        records: The trials; those without the parameter, or without the score, are left out.
        parameter: Dotted key of `run`.
        score: What is drawn.
    """
    shown = [one for one in _scored(records, score) if parameter in one.parameters]
    shown = evenly(shown, _MOST_DOTS)
    values = _different(shown, parameter)
    ran = [record for record in shown if record.status == "complete"]
    others = [record for record in shown if record.status != "complete"]
    is_numeric = _is_numeric(values)
    dots = partial(_dots, parameter, score, is_numeric=is_numeric)
    figure = begun(
        dots(others, GREY, "not to the end"),
        dots(ran, BLUE, "to the end"),
        x=label(parameter),
        y=score.title,
        height=300,
    )
    if not is_numeric:
        order = [_spelt(value) for value in values]
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    elif _is_log(values):
        figure.update_xaxes(type="log", dtick="D2")  # 1, 2, 5, 10, 20 ...
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
        x=[value if is_numeric else _spelt(value) for value in given],
        y=[score.of(record.best) for record in records],
        mode="markers",
        marker={"color": colour, "size": 8, "opacity": 0.75},
        text=[of_trial(record) for record in records],
        hovertemplate="%{text}: %{y:.2f} at %{x}<extra></extra>",
        name=name,
    )


def contour(
    records: Sequence[TrialRecord],
    first: str,
    second: str,
    score: Score = OBJECTIVE,
    *,
    among: Sequence[TrialRecord] = (),
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
    """
    from optuna.visualization import plot_contour

    study = _study(evenly(_ran(records, score), _MOST_HEIGHTS), (first, second), score)
    figure = plot_contour(study, params=[label(first), label(second)], target_name=score.title)
    values = [score.of(record.best) for record in _ran(among or records, score)]
    figure.update_traces(zmin=min(values), zmax=max(values), selector={"type": "contour"})
    return _restyled(figure, height=380)


def parallel(
    records: Sequence[TrialRecord], names: Sequence[str], score: Score = OBJECTIVE
) -> "Figure":
    """Draws each trial that ran to its end as a line over its score and its parameters.

    Of more than 100 such trials 100 are drawn, evenly spread over the order of `records`.

    Args:
        records: The trials; at least one ran to its end.
        names: Dotted keys of `run`.
        score: What colours the lines.
    """
    from optuna.visualization import plot_parallel_coordinate

    study = _study(evenly(_ran(records, score), _MOST_LINES), names, score)
    figure = plot_parallel_coordinate(study, target_name=score.title)
    return _restyled(figure, height=420)


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


def _study(records: Sequence[TrialRecord], names: Sequence[str], score: Score) -> "optuna.Study":
    """Returns trials as Optuna draws them: complete ones, with the values that took effect."""
    import optuna

    # At INFO it tells on stderr that a study was made.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    study.add_trials(shown_trials(records, names, [score]))
    return study


def shown_trials(
    records: Sequence[TrialRecord], names: Sequence[str], scores: Sequence[Score]
) -> "list[FrozenTrial]":
    """Returns trials as Optuna draws them, their names and values as `label` spells them.

    Args:
        records: Trials with all of the scores.
        names: Their parameters that are wanted.
        scores: Become their values, shares in percent.
    """
    import optuna

    domains = {name: _domain(_different(records, name)) for name in names}
    is_numeric = {name: _is_numeric(_different(records, name)) for name in names}
    return [
        optuna.trial.create_trial(
            values=[score.of(record.best) for score in scores],
            params={
                label(name): record.parameters[name]
                if is_numeric[name]
                else _spelt(record.parameters[name])
                for name in names
                if name in record.parameters
            },
            distributions={
                label(name): domains[name] for name in names if name in record.parameters
            },
        )
        for record in records
    ]


def _domain(values: Sequence[Value]) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not _is_numeric(values):
        # A trial of a conditional space may have none; Optuna wants a choice all the same.
        return CategoricalDistribution([_spelt(value) for value in values] or ["-"])
    numbers = [float(value) for value in values if value is not None]
    return FloatDistribution(min(numbers), max(numbers), log=_is_log(values))


def _scored(records: Sequence[TrialRecord], score: Score) -> list[TrialRecord]:
    return [
        record
        for record in records
        if record.status != "failed" and math.isfinite(score.of(record.best))
    ]


def _ran(records: Sequence[TrialRecord], score: Score) -> list[TrialRecord]:
    return [record for record in _scored(records, score) if record.status == "complete"]


def _different(records: Sequence[TrialRecord], name: str) -> list[Value]:
    """Returns the values of a parameter, each once; numbers by size, others in order of their text.

    True and 1 are two values, which are equal as keys.
    """
    found = {
        (isinstance(value, bool), value): value
        for record in records
        if name in record.parameters
        for value in (record.parameters[name],)
    }
    values = list(found.values())
    if _is_numeric(values):
        return sorted(values, key=lambda value: float(value or 0))
    return sorted(values, key=_spelt)


def _is_numeric(values: Sequence[Value]) -> bool:
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _is_log(values: Sequence[Value]) -> bool:
    numbers = [float(value) for value in values if value is not None]
    return min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_FROM


def _spelt(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return label(value if isinstance(value, str) else json.dumps(value))
