"""What the training loop yields at every report, and how it is written to JSON lines."""

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, model_validator

from mtl_core.kept import as_kept
from mtl_core.number_types import KEPT, Count, Score, Seconds
from mtl_core.scores import main_scores, only_finite
from mtl_core.training.decoded import Decoded

Scores = dict[str, dict[str, Score]]
"""Task name -> score name -> value, for instance {"intent": {"accuracy": 0.98}}."""


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a run at a report; plain values only, so that every logger takes it.

    Scores on a sample of dev and on all of it are never compared: each kind has its own best.

    Attributes:
        epoch: The epoch that it lies in or ends, from 1.
        number: Its place among the reports of its run, from 1 and without gaps.
        progress: Epochs done, such as 0.3; the time key of schedulers. The n-th report of a run
            that reports k times an epoch has n / k.
        step: Optimiser steps done.
        losses: Task name -> mean training loss of this epoch so far, before weighting.
        weights: Task name -> weight that multiplies the task's loss now.
        learning_rates: Parameter group -> learning rate now.
        dev: Scores of every task on the dev split, or on the sample.
        joint_accuracy: Share of those sentences with every labelled task right, in [0, 1].
        combined: The objective on them; higher is better.
        best_combined: Highest finite `combined` so far of reports of this kind, on a sample or on
            all of dev; NaN as long as there is none.
        best_number: The report that reached it; 0 as long as there is none.
        seconds: Wall time of training and evaluation since the report before.
        sentences_per_second: Training sentences per second of training time since the report
            before, evaluation left out.
        gradients: "norm/<task>", "cosine/<task>/<task>" and "affinity/<task>/<task>" (what a step
            of the first takes off the loss of the second, as a share) on the shared layers, means
            over the steps of this epoch that were looked at; empty unless
            `training.gradients_every` is set.
        trained: Part of the model -> its parameters that trained in this epoch.
        parameters: All parameters of the model; 0 in reports of old versions.
        ms_per_sentence: Milliseconds of a prediction, see `mtl_core.training.speed`; None unless
            the study limits them.
        precision: What the run computes in, `auto` resolved; empty in reports of old versions.
        is_sample: Whether its scores are those of a sample of dev.
        evaluation_seconds: What evaluation took of `seconds`; 0 in reports of old versions.
        decoded: What was found on the model of the best report, once the run has ended; see
            `mtl_core.training.decoding_search`. None = nothing was searched.
    """

    __pydantic_config__ = KEPT

    epoch: Annotated[Count, Field(ge=1)]
    number: Annotated[Count, Field(ge=1)]
    progress: Seconds
    step: Count
    losses: dict[str, Score]
    weights: dict[str, Score]
    learning_rates: dict[str, Score]
    dev: Scores
    joint_accuracy: Score
    combined: Score
    best_combined: Score
    best_number: Count
    seconds: Seconds
    sentences_per_second: Score
    gradients: dict[str, Score] = field(default_factory=dict)
    trained: dict[str, Count] = field(default_factory=dict)
    parameters: Count = 0
    ms_per_sentence: Seconds | None = None
    precision: str = ""
    is_sample: bool = False
    evaluation_seconds: Seconds = 0.0
    decoded: Decoded | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_numbers(cls, data: Any) -> Any:
        # Old versions reported once an epoch, and counted reports by their epochs.
        if isinstance(data, dict) and "epoch" in data and "best_epoch" in data:
            numbers = {"number": data["epoch"], "best_number": data["best_epoch"]}
            return {key: value for key, value in data.items() if key != "best_epoch"} | numbers
        return data

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


def best_report(reports: Iterable[Report], *, is_sample: bool = False) -> Report | None:
    """Returns the report with the highest finite `combined`, the first one among equals.

    None when there is none. The one rule for "best": `max` alone would keep a NaN that comes
    first, since no number compares greater. Where other settings of decoding were taken for its
    model, it has the scores with these.

    Args:
        reports: Of one run.
        is_sample: Which are looked at: those on a sample of dev, or those on all of it.
    """
    found = list(reports)
    scored = (
        report
        for report in found
        if report.is_sample == is_sample and math.isfinite(report.combined)
    )
    best = max(scored, key=lambda report: report.combined, default=None)
    return best if best is None else _as_decoded(best, found)


def _as_decoded(best: Report, reports: Iterable[Report]) -> Report:
    """Returns the best report with the scores that its model has as it is decoded in the end."""
    for report in reports:
        decoded = report.decoded
        if decoded is not None and decoded.taken is not None and decoded.number == best.number:
            taken = decoded.taken
            return dataclasses.replace(
                best, dev=taken.dev, joint_accuracy=taken.joint_accuracy, combined=taken.combined
            )
    return best


def is_best(report: Report) -> bool:
    """Returns whether a report is the best so far of those of its run on all of dev."""
    return not report.is_sample and report.number == report.best_number


def best_so_far(
    before: Iterable[Report], number: int, combined: float, *, is_sample: bool = False
) -> tuple[int, float]:
    """Returns the number of the best report by the rule of `best_report`, and its `combined`.

    Args:
        before: The reports before.
        number: The one that is being made.
        combined: Its objective.
        is_sample: Whether it stands on a sample of dev.

    Returns:
        (0, NaN) when no report of its kind has a finite one.
    """
    best = best_report(before, is_sample=is_sample)
    # The first of equals stays.
    if math.isfinite(combined) and (best is None or combined > best.combined):
        return number, combined
    return (0, math.nan) if best is None else (best.number, best.combined)


def epochs_text(progress: float) -> str:
    """Returns epochs as people read them: "3", "0.1", "0.33"."""
    return f"{progress:.2f}".rstrip("0").rstrip(".")


def why_no_number(report: Report) -> str | None:
    """Returns why the objective on dev is no finite number, in a line; None when it is one.

    None of a report on a sample as well: what few rows have no score for, all of dev may have.
    """
    if report.is_sample or math.isfinite(report.combined):
        return None
    scores = [
        f"{name} of task '{task}' is {value}"
        for task, (name, value) in main_scores(report.dev).items()
        if not math.isfinite(value)
    ]
    reason = f": {', '.join(scores)}" if scores else ""
    epochs = epochs_text(report.progress)
    return f"epoch {epochs}: the objective is no number but {report.combined}{reason}"
