"""How the best score rose with what was trained, and where trials were stopped."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mtl_core.training.report import Report
from tuning.records import TrialRecord
from tuning.report.figures.drawing import BLUE, GREY, OBJECTIVE, ORANGE, begun, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Cost = Literal["epochs", "hours"]
"""What a study spends: epochs of training, or the hours of its trainers, added up."""

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
        best: The highest so far; NaN as long as there is none.
        is_last: Whether it is the last report of its trial.
    """

    trial: str
    epochs: float
    hours: float
    score: float
    best: float
    is_last: bool


def moments(records: Iterable[TrialRecord], order: Order = ()) -> list[Moment]:
    """Returns the study at each report, the first one first.

    Scores on a sample of dev are passed over: they are not compared with those on all of it.

    Args:
        records: All trials.
        order: The order of reports; what it lacks comes behind, trial by trial.
    """
    known = {record.id: record for record in records}
    found: list[Moment] = []
    epochs, hours, best = 0.0, 0.0, math.nan
    last = {record.id: record.reports[-1].number for record in known.values() if record.reports}
    for record, before, report in _in_order(known.values(), order):
        epochs += report.progress - (before.progress if before is not None else 0.0)
        hours += report.seconds / 3600
        counts = not report.is_sample and math.isfinite(report.combined)
        if counts and record.status != "failed" and not report.combined <= best:
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


@dataclass(frozen=True, slots=True)
class Saved:
    """What it cost that trials were trained, and what it would have cost to train all to the end.

    Attributes:
        epochs: Epochs that were trained.
        full: Epochs of all these trials to their ends.
        hours: What was trained, over all trainers.
        full_hours: The same to the end, each trial as fast as it was.
        stopped: Trials that were stopped early.
    """

    epochs: float
    full: float
    hours: float
    full_hours: float
    stopped: int


def saved(records: Sequence[TrialRecord]) -> Saved | None:
    """Returns what early stopping saved; None where no trial was stopped, or none ran to its end.

    Failed trials, and those that have not ended, count with what they ran.
    """
    complete = [record.progress for record in records if record.status == "complete"]
    stopped = [record for record in records if record.status == "stopped" and record.progress > 0]
    if not (complete and stopped):
        return None
    longest = max(complete)
    epochs = sum(record.progress for record in records)
    hours = sum(record.seconds for record in records) / 3600
    more = {record.id: _full(record, longest) - record.progress for record in stopped}
    slower = sum(more[record.id] * record.seconds / record.progress / 3600 for record in stopped)
    return Saved(epochs, epochs + sum(more.values()), hours, hours + slower, len(stopped))


def _full(record: TrialRecord, longest: float) -> float:
    """Returns the epochs that a trial would have run."""
    own = record.parameters.get("training.epochs")
    return max(record.progress, float(own) if isinstance(own, int | float) else longest)


def best_so_far(
    records: Sequence[TrialRecord], order: Order = (), *, cost: Cost = "epochs"
) -> "Figure":
    """Draws the highest score on dev so far against what was spent, and each trial as it ended.

    Args:
        records: All trials.
        order: The order in which reports were made; none = trial by trial.
        cost: What was spent.
    """
    import plotly.graph_objects as go

    found = moments(records, order)
    spent = [one.epochs if cost == "epochs" else one.hours for one in found]
    status = {record.id: record.status for record in records}
    ends = [at for at, one in enumerate(found) if one.is_last and math.isfinite(one.score)]
    is_stopped = [status[found[at].trial] == "stopped" for at in ends]
    line = go.Scatter(
        x=spent,
        y=[OBJECTIVE.shown(one.best) for one in found],
        mode="lines",
        line={"shape": "hv", "color": BLUE, "width": 2},
        name="best so far",
        hovertemplate="%{y:.2f} after %{x:.4g} " + cost + "<extra></extra>",
    )
    dots = go.Scatter(
        x=[spent[at] for at in ends],
        y=[OBJECTIVE.shown(found[at].score) for at in ends],
        mode="markers",
        marker={
            "color": [GREY if one else ORANGE for one in is_stopped],
            "symbol": ["x-thin-open" if one else "circle" for one in is_stopped],
            "size": 8,
        },
        text=[f"trial {label(found[at].trial)}, {status[found[at].trial]}" for at in ends],
        hovertemplate="%{text}: %{y:.2f}<extra></extra>",
        name="a trial's last report",
    )
    unit = "epochs of training, all trials" if cost == "epochs" else "hours of trainers, added up"
    return begun(line, dots, x=unit, y=OBJECTIVE.title)


def status_bars(records: Sequence[TrialRecord]) -> "Figure":
    """Draws how many trials ended in each way, by the epochs that they ran."""
    import plotly.graph_objects as go

    counts = Counter((record.status, math.ceil(record.progress)) for record in records)
    epochs = sorted({progress for _, progress in counts})
    colours = {"complete": BLUE, "stopped": GREY, "failed": ORANGE}
    bars = [
        go.Bar(
            x=[str(epoch) for epoch in epochs],
            y=[counts[status, epoch] for epoch in epochs],
            name=status,
            marker_color=colours.get(status),
        )
        for status in dict.fromkeys(record.status for record in records)
    ]
    figure = begun(*bars, x="epochs that were begun", y="trials", height=300)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(type="category")
    return figure
