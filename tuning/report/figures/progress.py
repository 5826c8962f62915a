"""How the best score rose with what was trained, and where trials were stopped."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mtl_core.training.report import Report
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.report.figures.drawing import (
    APART,
    BAD,
    BEST,
    FAINT,
    OBJECTIVE,
    PLAIN,
    begun,
    evenly,
    label,
    shorter,
)

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

Cost = Literal["epochs", "time"]
"""What a study spends: epochs of training, or the time of its trainers, added up."""
NO_LIMITS = Goal()
_MOST_DOTS = 1000
"""Trials that have a dot, evenly spread where there are more."""
_HOURS_FROM = 2.0
"""Hours from which time is drawn in hours, and not in minutes."""

Order = Sequence[tuple[str, int]]
"""(run id, number) of the reports of a study, in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A study when a trial has reported.

    Attributes:
        trial: Id of the trial.
        epochs: Epochs of all trials so far.
        hours: Training and scoring of all trials so far.
        score: `combined` of the report.
        best: The highest so far that counts; NaN as long as there is none.
        is_last: Whether it is the last report of its trial.
    """

    trial: str
    epochs: float
    hours: float
    score: float
    best: float
    is_last: bool


def moments(
    records: Iterable[TrialRecord], order: Order = (), goal: Goal = NO_LIMITS
) -> list[Moment]:
    """Returns the study at each report, the first one first.

    Scores on a sample of dev are passed over: they are not compared with those on all of it. Those
    of trials that failed, or miss a limit, are no best ones.

    Args:
        records: All trials.
        order: The order of reports; what it lacks comes behind, trial by trial.
        goal: By what trials are compared.
    """
    known = {record.id: record for record in records}
    passed = {one.id for one in known.values() if one.status == "failed" or goal.missed(one) > 0}
    found: list[Moment] = []
    epochs, hours, best = 0.0, 0.0, math.nan
    last = {record.id: record.reports[-1].number for record in known.values() if record.reports}
    for record, before, report in _in_order(known.values(), order):
        epochs += report.progress - (before.progress if before is not None else 0.0)
        hours += report.seconds / 3600
        counts = not report.is_sample and math.isfinite(report.combined)
        if counts and record.id not in passed and not report.combined <= best:
            best = report.combined
        score = report.combined if counts else math.nan
        is_last = report.number == last[record.id]
        found.append(Moment(record.id, epochs, hours, score, best, is_last))
    return found


def _in_order(
    records: Iterable[TrialRecord], order: Order
) -> Iterable[tuple[TrialRecord, Report | None, Report]]:
    """Yields each report with its trial and the report before."""
    left = {record.id: list(record.reports) for record in records}
    known = {record.id: record for record in records}
    behind = [(record.id, report.number) for record in records for report in record.reports]
    latest: dict[str, Report] = {}
    for run_id, number in (*order, *behind):
        while left.get(run_id) and left[run_id][0].number <= number:
            report = left[run_id].pop(0)
            yield known[run_id], latest.get(run_id), report
            latest[run_id] = report


def best_so_far(
    records: Sequence[TrialRecord],
    order: Order = (),
    *,
    cost: Cost = "epochs",
    goal: Goal = NO_LIMITS,
) -> "Figure":
    """Draws the highest score on dev so far against what was spent, and each trial as it ended.

    Args:
        records: All trials.
        order: The order in which reports were made; none = trial by trial.
        cost: What was spent.
        goal: By what trials are compared: those that miss a limit are no best ones.
    """
    found = moments(records, order, goal)
    scale, unit = unit_of(found, cost)
    line = best_line(found, cost, scale, "best so far")
    line.update(line_color=BEST)
    stopped = {record.id for record in records if record.status == "stopped"}
    ends = [one for one in found if one.is_last and math.isfinite(one.score)]
    ends = evenly(ends, _MOST_DOTS)
    return begun(
        line,
        _dots([one for one in ends if one.trial in stopped], cost, scale, "stopped early"),
        _dots([one for one in ends if one.trial not in stopped], cost, scale, "last report"),
        x=unit,
        y=OBJECTIVE.title,
    )


def unit_of(found: Sequence[Moment], cost: Cost) -> tuple[float, str]:
    """Returns by what a cost is multiplied to be drawn, and the title of its axis."""
    if cost == "epochs":
        return 1.0, "epochs of training, all trials"
    most = max((one.hours for one in found), default=0.0)
    scale, unit = (1.0, "hours") if most >= _HOURS_FROM else (60.0, "minutes")
    return scale, f"{unit} of trainers, added up"


def best_line(found: Sequence[Moment], cost: Cost, scale: float, name: str) -> "Scatter":
    """Returns the line of the highest score so far.

    Args:
        found: A study at each report.
        cost: What was spent.
        scale: By what that is multiplied.
        name: What the line is called, as `label` spells it.
    """
    import plotly.graph_objects as go

    # Where it rises, and its end: it is level in between.
    rises = [
        one
        for before, one in zip([None, *found], found, strict=False)
        if before is None or one.best != before.best or one is found[-1]
    ]
    return go.Scatter(
        x=[shorter(scale * _spent(one, cost)) for one in rises],
        y=[OBJECTIVE.shown(one.best) for one in rises],
        mode="lines",
        line={"shape": "hv", "width": 2},
        name=name,
        hovertemplate="%{y:.2f} after %{x:.4g}",
    )


def _dots(found: Sequence[Moment], cost: Cost, scale: float, name: str) -> "Scatter":
    import plotly.graph_objects as go

    is_stopped = name == "stopped early"
    return go.Scatter(
        x=[shorter(scale * _spent(one, cost)) for one in found],
        y=[OBJECTIVE.shown(one.score) for one in found],
        mode="markers",
        marker={
            "color": FAINT if is_stopped else PLAIN,
            "symbol": "x-thin-open" if is_stopped else "circle",
            "size": 8,
        },
        text=[f"trial {label(one.trial)}, {name}" for one in found],
        hovertemplate="%{text}: %{y:.2f}<extra></extra>",
        name=name,
    )


def _spent(moment: Moment, cost: Cost) -> float:
    return moment.epochs if cost == "epochs" else moment.hours


def status_bars(records: Sequence[TrialRecord]) -> "Figure":
    """Draws how many trials ended in each way, by the epochs that they ran."""
    import plotly.graph_objects as go

    counts = Counter((record.status, math.ceil(record.progress)) for record in records)
    epochs = sorted({progress for _, progress in counts})
    colours = {"complete": PLAIN, "stopped": FAINT, "failed": BAD}
    bars = [
        go.Bar(
            x=[str(epoch) for epoch in epochs],
            y=[counts[status, epoch] for epoch in epochs],
            name=status,
            marker_color=colours.get(status, APART),
        )
        for status in dict.fromkeys(record.status for record in records)
    ]
    figure = begun(*bars, x="epochs that were begun", y="trials", height=300)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(type="category")
    return figure
