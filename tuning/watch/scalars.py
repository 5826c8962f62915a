"""The curves of a run: what TensorBoard and loggers are given of a report, by the same names."""

from mtl_core.training.report import Report, is_best


def scores_of(report: Report) -> dict[str, float]:
    """Returns {"combined": x, "joint_accuracy": x, "<task>/<score>": x}, on dev."""
    scores = {"combined": report.combined, "joint_accuracy": report.joint_accuracy}
    for task, values in report.dev.items():
        scores |= {f"{task}/{score}": value for score, value in values.items()}
    return scores


def scalars_of(report: Report) -> dict[str, float]:
    """Returns name of a curve -> its value at a report.

    The names begin with "dev/" (scores), "dev_sample/" (on a sample of dev), "best/" (scores of the
    best report so far, only where it is this one) or "train/" (losses, weights, rates, gradients,
    speed).
    """
    scores = scores_of(report)
    # Curves of their own: scores on a sample of dev are not to be read beside those on all of it.
    dev = "dev_sample" if report.is_sample else "dev"
    scalars = {f"{dev}/{name}": value for name, value in scores.items()}
    # "best/" has a point only where the best changes, so its last point is the best report's.
    if is_best(report):
        scalars |= {f"best/{name}": value for name, value in scores.items()}
    scalars |= {f"train/loss/{task}": value for task, value in report.losses.items()}
    scalars |= {f"train/weight/{task}": value for task, value in report.weights.items()}
    scalars |= {f"train/gradient/{name}": value for name, value in report.gradients.items()}
    for group, value in report.learning_rates.items():
        scalars[f"train/learning_rate/{group}"] = value
    scalars["train/sentences_per_second"] = report.sentences_per_second
    return scalars
