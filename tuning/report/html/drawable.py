"""What the figures of a study are drawn of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mtl_core.task_errors import NO_ERRORS, Errors
from tuning.records import TrialRecord
from tuning.report.figures.drawing import Score, scores_of
from tuning.report.figures.parameters import NO_SCALES, Scales, varied
from tuning.report.figures.progress import Order
from tuning.report.summary import StudySummary


@dataclass(frozen=True, slots=True)
class Drawable:
    """A study as its figures take it.

    Attributes:
        summary: What its report shows.
        order: The order in which reports were made.
        ranked: Its trials, the best first.
        scores: What trials are shown by: the objective first, then the main score of each task.
        names: The parameters that vary, the most important first.
        errors: Where its best model errs on dev.
        scales: On which scales its parameters were drawn.
    """

    summary: StudySummary
    order: Order
    ranked: Sequence[TrialRecord]
    scores: Sequence[Score]
    names: Sequence[str]
    errors: Errors = field(default_factory=lambda: NO_ERRORS)
    scales: Scales = field(default_factory=lambda: NO_SCALES)

    @property
    def best(self) -> str | None:
        """Returns the id of the best trial; None when no trial has a score."""
        best = self.summary.result.best
        return best.trial if best is not None else None


def drawable(
    summary: StudySummary,
    order: Order = (),
    errors: Errors = NO_ERRORS,
    scales: Scales = NO_SCALES,
) -> Drawable:
    """Returns a study as its figures take it."""
    ranked = summary.result.goal.aim.ranked(summary.records)
    shares = summary.importances[0].shares if summary.importances else {}
    names = varied(ranked)
    names.sort(key=lambda name: -shares[name].share if name in shares else 0.0)
    return Drawable(summary, order, ranked, scores_of(ranked), names, errors, scales)
