"""The curves of a run: what TensorBoard and loggers are given of a report, by the same names."""

from collections.abc import Sequence

from mtl_core.training.report import Report, best_report, is_best


def scores_of(report: Report) -> dict[str, float]:
    """Returns {"combined": x, "joint_accuracy": x, "<task>/<score>": x}, on dev."""
    scores = {"combined": report.combined, "joint_accuracy": report.joint_accuracy}
    for task, values in report.dev.items():
        scores |= {f"{task}/{score}": value for score, value in values.items()}
    return scores


def scalars_of(reports: Sequence[Report]) -> dict[str, float]:
    """Returns name of a curve -> its value at the newest report of a run.

    The names begin with "dev/" (scores), "dev_sample/" (on a sample of dev), "best/" (scores of the
    best report so far, only where it changes) or "train/" (losses, weights, rates, gradients,
    speed).

    Args:
        reports: All of the run up to this one, oldest first.
    """
    report = reports[-1]
    # Curves of their own: scores on a sample of dev are not to be read beside those on all of it.
    dev = "dev_sample" if report.is_sample else "dev"
    scalars = {f"{dev}/{name}": value for name, value in scores_of(report).items()}
    # "best/" has a point only where the best changes, so its last point is the best report's.
    if (best := _new_best(reports)) is not None:
        scalars |= {f"best/{name}": value for name, value in scores_of(best).items()}
    scalars |= {f"train/loss/{task}": value for task, value in report.losses.items()}
    scalars |= {f"train/weight/{task}": value for task, value in report.weights.items()}
    scalars |= {f"train/gradient/{name}": value for name, value in report.gradients.items()}
    for group, value in report.learning_rates.items():
        scalars[f"train/learning_rate/{group}"] = value
    scalars["train/sentences_per_second"] = report.sentences_per_second
    return scalars


def _new_best(reports: Sequence[Report]) -> Report | None:
    """Returns the best report where it is the newest one, or is decoded otherwise by that."""
    report = reports[-1]
    if report.decoded is not None and report.decoded.taken is not None:
        return best_report(reports)
    return report if is_best(report) else None
