"""What the training loop yields after every epoch, and how it is written to JSON lines."""

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from mtl_core.kept import as_kept
from mtl_core.number_types import KEPT, Count, Score, Seconds
from mtl_core.scores import main_scores, only_finite

Scores = dict[str, dict[str, Score]]
"""Task name -> score name -> value, for instance {"intent": {"accuracy": 0.98}}."""


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a run after an epoch; plain values only, so that every logger takes it.

    Attributes:
        epoch: Epochs done, from 1.
        progress: The same as a float; the time key of schedulers, never going back.
        step: Optimiser steps done.
        losses: Task name -> mean training loss of this epoch, before weighting.
        weights: Task name -> weight that multiplies the task's loss at the end of the epoch.
        learning_rates: Parameter group -> learning rate at the end of the epoch.
        dev: Scores of every task on the dev split.
        joint_accuracy: Share of dev sentences with every labelled task right, in [0, 1].
        combined: The objective on dev; higher is better.
        best_combined: Highest finite `combined` so far; NaN as long as there is none.
        best_epoch: The epoch that reached it; 0 as long as there is none.
        seconds: Wall time of training and evaluation of this epoch.
        sentences_per_second: Training sentences per second of training time, evaluation left out.
        gradients: "norm/<task>" and "cosine/<task>/<task>" on the shared layers, means over the
            steps that were looked at; empty unless `training.gradients_every` is set.
        trained: Part of the model -> its parameters that trained in this epoch.
        precision: What the run computes in, `auto` resolved; empty in reports of old versions.
    """

    __pydantic_config__ = KEPT

    epoch: Annotated[Count, Field(ge=1)]
    progress: Seconds
    step: Count
    losses: dict[str, Score]
    weights: dict[str, Score]
    learning_rates: dict[str, Score]
    dev: Scores
    joint_accuracy: Score
    combined: Score
    best_combined: Score
    best_epoch: Count
    seconds: Seconds
    sentences_per_second: Score
    gradients: dict[str, Score] = field(default_factory=dict)
    trained: dict[str, Count] = field(default_factory=dict)
    precision: str = ""

    def to_json(self) -> str:
        """Returns the report as one line of JSON, without a line break."""
        return json.dumps(only_finite(dataclasses.asdict(self)), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> "Report":
        """Reads what `to_json` wrote.

        Raises:
            BrokenError: It is something else.
        """
        content = line.encode("utf-8", "surrogatepass")
        return as_kept(content, cls, where="a report", remedy="remove the file that it is from")


def best_report(reports: Iterable[Report]) -> Report | None:
    """Returns the report with the highest finite `combined`, the first one among equals.

    None when there is none. The one rule for "best": `max` alone would keep a NaN that comes
    first, since no number compares greater.
    """
    scored = (report for report in reports if math.isfinite(report.combined))
    return max(scored, key=lambda report: report.combined, default=None)


def best_so_far(before: Iterable[Report], epoch: int, combined: float) -> tuple[int, float]:
    """Returns the best epoch by the rule of `best_report`, and its `combined`.

    Args:
        before: The reports of earlier epochs.
        epoch: The epoch that has just ended.
        combined: Its objective.

    Returns:
        (0, NaN) when no epoch has a finite one.
    """
    best = best_report(before)
    # The first of equals stays.
    if math.isfinite(combined) and (best is None or combined > best.combined):
        return epoch, combined
    return (0, math.nan) if best is None else (best.epoch, best.combined)


def why_no_number(report: Report) -> str | None:
    """Returns why the objective of an epoch is not finite, in a line; None when it is."""
    if math.isfinite(report.combined):
        return None
    scores = [
        f"{name} of task '{task}' is {value}"
        for task, (name, value) in main_scores(report.dev).items()
        if not math.isfinite(value)
    ]
    reason = f": {', '.join(scores)}" if scores else ""
    return f"epoch {report.epoch}: the objective is no number but {report.combined}{reason}"
