"""Classification: one label a sentence, from the pooled hidden state."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mtl_core.data.encode import NO_LABEL
from mtl_core.tasks.base import Outcome, TaskSection
from mtl_core.tasks.head import LinearHead


class Classification(TaskSection):
    """One label a sentence; scores `accuracy` (main) and `macro_f1`."""

    kind: Literal["classification"] = "classification"
    is_per_word: ClassVar[bool] = False

    def build(self, labels: tuple[str, ...]) -> "ClassificationTask":
        """Builds the task for its trained labels."""
        return ClassificationTask(labels, self.dropout)


@dataclass(frozen=True, slots=True)
class ClassificationTask:
    """Cross entropy over the labels of the train split; see `mtl_core.tasks.base.Task`."""

    labels: tuple[str, ...]
    dropout: float
    main_score: ClassVar[str] = "accuracy"
    is_per_word: ClassVar[bool] = False

    def make_head(self, hidden_size: int) -> nn.Module:
        """Returns a new linear head: (batch, hidden) -> (batch, num_labels)."""
        return LinearHead(hidden_size, len(self.labels), dropout=self.dropout)

    def loss_sum(self, logits: Tensor, label_ids: Tensor) -> Tensor:
        """Returns the summed cross entropy of logits (batch, num_labels), labels (batch,)."""
        return cross_entropy(logits.float(), label_ids, ignore_index=NO_LABEL, reduction="sum")

    def score(self, outcome: Outcome, all_labels: tuple[str, ...]) -> dict[str, float]:
        """Returns accuracy and macro F1 (over the labels found or predicted), by scikit-learn."""
        is_labelled = outcome.is_labelled()
        if not is_labelled.any():
            return {"accuracy": float("nan"), "macro_f1": float("nan")}
        rows = np.flatnonzero(is_labelled)
        gold = [int(outcome.gold[row][0]) for row in rows]
        predicted = [int(outcome.predicted[row][0]) for row in rows]
        return {
            "accuracy": float(accuracy_score(gold, predicted)),
            "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0.0)),
        }


def probabilities(logits: Tensor) -> Tensor:
    """Returns the probability of every label, the same shape as the logits."""
    return torch.softmax(logits.float(), dim=-1)
