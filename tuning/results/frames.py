"""Tables of a study for notebooks: its curves, its final runs, its baselines, as DataFrames."""

from collections.abc import Iterable

import pandas

from mtl_core.scores import ScoreTree, flatten
from mtl_core.training.report import Report
from tuning.records import TrialRecord, keys_of_all


def curves_frame(records: Iterable[TrialRecord]) -> pandas.DataFrame:
    """Returns one row per report of every run, oldest first.

    The columns are "run" (run id), "number" (of the report, from 1), "epoch" (epochs done, a
    fraction within one), "step", "seconds" (since the run began, training and scoring alone),
    "is_sample" (whether dev was scored on a sample of it), "combined", "joint_accuracy",
    "<task>.<score>" on dev, "loss.<task>" (mean training loss of the epoch so far, unweighted),
    "weight.<task>" and "rate.<group>" (learning rate). What a run lacks is missing.
    """
    rows = [row for record in records for row in _rows(record.id, record.reports)]
    # These stand first, and stand there also before any run has reported.
    first = dict.fromkeys(("run", *_COUNTS, "is_sample", "combined", "joint_accuracy"))
    return pandas.DataFrame(rows, columns=keys_of_all([first, *rows]))


_COUNTS = ("number", "epoch", "step", "seconds")


def _rows(run_id: str, reports: Iterable[Report]) -> Iterable[dict[str, object]]:
    seconds = 0.0
    for report in reports:
        seconds += report.seconds
        scores: ScoreTree = {"joint_accuracy": report.joint_accuracy, **report.dev}
        yield {
            "run": run_id,
            "number": report.number,
            "epoch": report.progress,
            "step": report.step,
            "seconds": seconds,
            "is_sample": report.is_sample,
            "combined": report.combined,
            **flatten(scores, "."),
            **{f"loss.{task}": value for task, value in report.losses.items()},
            **{f"weight.{task}": value for task, value in report.weights.items()},
            **{f"rate.{group}": value for group, value in report.learning_rates.items()},
        }
