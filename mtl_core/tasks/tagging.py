"""Tagging: one BIO tag a word, from the hidden state of the word's first sub-word."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mtl_core.data.encode import NO_LABEL
from mtl_core.tasks.base import Outcome, TaskSection
from mtl_core.tasks.head import LinearHead


class Tagging(TaskSection):
    """One BIO tag a word; scores `f1` (main), `precision` and `recall` of whole spans."""

    kind: Literal["tagging"] = "tagging"
    is_per_word: ClassVar[bool] = True

    def build(self, labels: tuple[str, ...]) -> "TaggingTask":
        """Builds the task for its trained tags."""
        return TaggingTask(labels, self.dropout)


@dataclass(frozen=True, slots=True)
class TaggingTask:
    """Cross entropy over the tags of the train split; see `mtl_core.tasks.base.Task`."""

    labels: tuple[str, ...]
    dropout: float
    main_score: ClassVar[str] = "f1"
    is_per_word: ClassVar[bool] = True

    def make_head(self, hidden_size: int) -> nn.Module:
        """Returns a new linear head: (batch, words, hidden) -> (batch, words, num_labels)."""
        return LinearHead(hidden_size, len(self.labels), dropout=self.dropout)

    def loss_sum(self, logits: Tensor, label_ids: Tensor) -> Tensor:
        """Returns the summed cross entropy of logits (batch, words, num_labels), tags the same."""
        return cross_entropy(
            logits.float().flatten(0, -2),  # (batch * words, num_labels)
            label_ids.flatten(),
            ignore_index=NO_LABEL,
            reduction="sum",
        )

    def score(self, outcome: Outcome, all_labels: tuple[str, ...]) -> dict[str, float]:
        """Returns span precision, recall and F1 by seqeval, strict IOB2, micro average.

        A span counts when type and both ends are right. In strict mode an I- tag that continues
        nothing (after O, or after another type) is no span.
        """
        rows = np.flatnonzero(outcome.is_labelled())
        if not len(rows):
            return dict.fromkeys(("f1", "precision", "recall"), float("nan"))
        gold = [[all_labels[tag] for tag in outcome.gold[row]] for row in rows]
        predicted = [
            # A negative id stands for a word that was cut off: nothing is predicted there.
            [all_labels[tag] if tag >= 0 else "O" for tag in outcome.predicted[row]]
            for row in rows
        ]
        precision, recall, f1 = span_scores(gold, predicted)
        return {"f1": f1, "precision": precision, "recall": recall}


def span_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> tuple[float, float, float]:
    """Returns span precision, recall and F1 in [0, 1]; 0 where nothing is found or predicted."""
    if not any(tag != "O" for tags in (*gold, *predicted) for tag in tags):
        return 0.0, 0.0, 0.0
    precision, recall, f1, _ = precision_recall_fscore_support(
        list(gold), list(predicted), average="micro", scheme=IOB2, zero_division=0
    )
    return float(precision), float(recall), float(f1)
