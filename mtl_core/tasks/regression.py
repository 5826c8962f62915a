"""Regression: one number per sentence or pair."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.data.columns.label_names import Moments
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.source import Source
from mtl_core.error_counts import worst_rows
from mtl_core.task_errors import RangeErrors, TaskErrors, WrongRow
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, TextView
from mtl_core.tasks.rescoring import Rescore, each_draw, where_labelled
from mtl_core.tasks.row_texts import RowTexts


class Regression(TaskSection):
    """A number per sentence or pair; scored by Pearson, Spearman and mean squared error."""

    pipeline: ClassVar[str | None] = "text-classification"
    kind: Literal["regression"] = "regression"
    main_score: Literal["pearson", "spearman"] = "pearson"
    """The score that objectives combine."""

    def make_column(self, name: str, column: str) -> NumberColumn:
        """Returns its column."""
        return NumberColumn(name, column)

    def build(self, name: str, labels: Moments) -> "RegressionTask":
        """Builds the task for the mean and deviation of its targets."""
        return RegressionTask(name, labels, self)


class RegressionTask(Task):
    """The scores of numbers, in the unit of the data; see `Task`."""

    labels: Moments

    def __init__(self, name: str, labels: Moments, section: Regression) -> None:
        self.name = name
        self.labels = labels
        self.main_score = section.main_score
        self._section = section

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head."""
        body = self._section.head.build(size.hidden + size.features, 1)
        # A deviation of 0, where all targets are equal, cannot be divided by.
        return RegressionHead(body, self.labels.mean, self.labels.deviation or 1.0)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns Pearson and Spearman correlation (scipy) and the mean squared error.

        A correlation with a constant, or of less than two rows, counts as 0.
        """
        from sklearn.metrics import mean_squared_error

        predicted, gold = outcome.labelled()
        if not gold:
            return dict.fromkeys(("pearson", "spearman", "mse"), float("nan"))
        pair = np.concatenate(gold).astype(float), np.concatenate(predicted).astype(float)
        return {
            "pearson": correlation("pearson", *pair),
            "spearman": correlation("spearman", *pair),
            "mse": float(mean_squared_error(*pair)),
        }

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the main score of rows that are drawn anew."""
        is_labelled = outcome.is_labelled()
        predicted, gold = outcome.labelled()
        pair = [
            np.concatenate(one).astype(float) if one else np.zeros(0) for one in (gold, predicted)
        ]
        kind = self._section.main_score
        found = each_draw(
            lambda counts: correlation(kind, *(one.repeat(counts[is_labelled]) for one in pair))
        )
        return where_labelled(found, is_labelled)

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: a number is near or far, not right or wrong."""
        return None

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors | None:
        """Returns how far numbers are off, below, about and above the mean of train."""
        rows = np.flatnonzero(outcome.is_labelled()).tolist()
        if not rows:
            return None
        predicted, gold = (np.concatenate(some).astype(float) for some in outcome.labelled())
        off = predicted - gold  # (rows,)
        place = {row: number for number, row in enumerate(rows)}

        def show(row: int) -> WrongRow:
            right, guess = (f"{some[place[row]]:.4g}" for some in (gold, predicted))
            return WrongRow(texts.example(row), texts.row(row), right, guess, 0.0)

        return TaskErrors(
            rows=len(rows), unit="rows", measure="distance", ranges=tuple(self._ranges(gold, off)),
            worst=worst_rows({row: abs(off[number]) for row, number in place.items()}, show),
        )  # fmt: skip

    def _ranges(
        self, gold: npt.NDArray[np.float64], off: npt.NDArray[np.float64]
    ) -> Iterator[RangeErrors]:
        """Yields the errors of numbers by how far, in deviations, they lie from the mean."""
        mean, deviation = self.labels.mean, self.labels.deviation
        borders = [mean - deviation, mean, mean + deviation] if deviation else []
        for low, high in pairwise([None, *borders, None]):
            is_in = (gold >= (-np.inf if low is None else low)) & (
                gold < (np.inf if high is None else high)
            )
            if count := int(is_in.sum()):
                found = off[is_in]
                yield RangeErrors(low, high, count, float(found.mean()), float(abs(found).mean()))

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns the number of each text, in the unit of the data."""
        return [float(row[0]) for row in rows]


def correlation(
    kind: Literal["pearson", "spearman"],
    gold: npt.NDArray[np.float64],
    predicted: npt.NDArray[np.float64],
) -> float:
    """Returns a correlation by scipy, both (rows,); 0 with a constant, or of less than two rows."""
    from scipy.stats import pearsonr, spearmanr

    # scipy warns and gives NaN for a constant, which an objective could not compare.
    if not all(len(values) > 1 and np.ptp(values) > 0 for values in (gold, predicted)):
        return 0.0
    return float((pearsonr if kind == "pearson" else spearmanr)(gold, predicted).statistic)


class RegressionHead(Head):
    """Squared error of the standardised target, so that its unit does not weigh the task."""

    def __init__(self, body: nn.Module, mean: float, deviation: float) -> None:
        super().__init__()
        self.body = body
        self._mean = mean
        self._deviation = deviation

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns standardised numbers, (batch, 1)."""
        return self.body(hidden.sentence)  # type: ignore[no-any-return]

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the summed squared error of (batch, 1) and numbers (batch,) in their own unit."""
        # z = (y - mean) / deviation, both of the train split
        target = (labels - self._mean) / self._deviation
        # NaN times 0 is NaN, in the gradient too: a missing number becomes 0 before it is left out.
        errors = (logits.float().squeeze(-1) - torch.nan_to_num(target)) ** 2
        return errors[~labels.isnan()].sum()

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the number of each row in its own unit, (1,), float32."""
        # y = z * deviation + mean: scores and predictions are in the unit of the data.
        return list((logits.float() * self._deviation + self._mean).cpu().numpy())
