"""What a head decoded of a split, row by row, beside what is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtl_core.data.columns.base import Gold
from mtl_core.data.source import Source

Decoded = npt.NDArray[np.generic]
"""What a head predicts for one row; each kind has its own dtype and shape."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Predictions of a task for a split, one entry per row.

    Attributes:
        predicted: What the head decoded, for instance label ids (1,) or (words,).
        gold: Gold labels in the same shape, an empty array for a row without labels; () when each
            prediction has been compared with what is right already.
        source: The texts that the rows are pieces of, within one data set; None when each row is an
            example.
        written: Row -> the texts that the model wrote for its targets, in their order, of a task
            that writes; rows for which nothing was written are missing.
    """

    predicted: Sequence[Decoded]
    gold: Sequence[Gold] = ()
    source: Source | None = None
    written: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def joined(cls, outcomes: Sequence["Outcome"]) -> "Outcome":
        """Returns the rows of several data sets, at least one, as one outcome."""
        if len(outcomes) == 1:
            return outcomes[0]
        firsts = np.cumsum([0, *(len(outcome.predicted) for outcome in outcomes)]).tolist()
        return cls(
            [row for outcome in outcomes for row in outcome.predicted],
            [row for outcome in outcomes for row in outcome.gold],
            written={
                first + row: texts
                for first, outcome in zip(firsts, outcomes, strict=False)
                for row, texts in outcome.written.items()
            },
        )

    def drawn(self, counts: npt.NDArray[np.int64]) -> "Outcome":
        """Returns rows that are drawn anew, one for each time; (rows,) says how often."""
        rows = np.repeat(np.arange(len(self.predicted)), counts).tolist()
        written = {at: self.written[row] for at, row in enumerate(rows) if row in self.written}
        gold = [self.gold[row] for row in rows] if len(self.gold) else ()
        return Outcome([self.predicted[row] for row in rows], gold, written=written)

    def is_right(self) -> npt.NDArray[np.bool_]:
        """Returns whether all labels of each row are right, (rows,); a row without labels is."""
        # So a missing label never spoils the joint accuracy of a row that other tasks label.
        pairs = zip(self.predicted, self.gold, strict=True)
        return np.array([not len(gold) or np.array_equal(guess, gold) for guess, gold in pairs])

    def is_labelled(self) -> npt.NDArray[np.bool_]:
        """Returns which rows carry labels of the task, (rows,)."""
        return np.array([len(gold) > 0 for gold in self.gold])

    def labelled(self) -> tuple[list[Decoded], list[Gold]]:
        """Returns predictions and gold labels of the rows that carry labels."""
        pairs = [(p, g) for p, g in zip(self.predicted, self.gold, strict=True) if len(g)]
        return [predicted for predicted, _ in pairs], [gold for _, gold in pairs]
