"""Classification: one label per sentence or pair, from the sentence vector."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.source import Source
from mtl_core.error_counts import Tally, worst_rows
from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.task_errors import TaskErrors, WrongRow
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Label, Output, TextView, named_cells
from mtl_core.tasks.rescoring import (
    Rescore,
    macro_f1,
    matthews,
    one_label,
    ratio,
    where_labelled,
)
from mtl_core.tasks.row_texts import RowTexts

Score = Literal["accuracy", "macro_f1", "micro_f1", "matthews"]


class Classification(TaskSection):
    """One label per sentence or pair; scored by accuracy, F1 and Matthews correlation."""

    pipeline: ClassVar[str | None] = "text-classification"
    kind: Literal["classification"] = "classification"
    main_score: Score = "accuracy"
    """The score that objectives combine."""
    class_weights: Literal["none", "balanced"] | dict[str, float] = "none"
    """Factor of each label's loss; `balanced` = inverse to its share of the train split."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread over all labels (Szegedy et al. 2016)."""

    def make_column(self, name: str, column: str) -> LabelColumn:
        """Returns its column."""
        return LabelColumn(name, column)

    def build(self, name: str, labels: LabelNames) -> "ClassificationTask":
        """Builds the task for its labels.

        Raises:
            ConfigError: `class_weights` names an unknown label.
        """
        return ClassificationTask(name, labels, self)


class ClassificationTask(Task):
    """The labels and scores of a classification; see `Task`."""

    labels: LabelNames

    def __init__(self, name: str, labels: LabelNames, section: Classification) -> None:
        self.name = name
        self.labels = labels
        self.main_score = section.main_score
        self._section = section
        self._weights = class_weights(name, labels, section.class_weights)

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head."""
        body = self._section.head.build(size.hidden + size.features, len(self.labels.trained))
        return ClassificationHead(body, self._weights, self._section.label_smoothing)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns the scores, by scikit-learn; macro F1 over the labels found or predicted."""
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

        predicted, gold = outcome.labelled()
        if not gold:
            return dict.fromkeys(("accuracy", "macro_f1", "micro_f1", "matthews"), float("nan"))
        pair = np.concatenate(gold), np.concatenate(predicted)  # both (rows,)
        # Of one label alone scikit-learn says 0 as well, with a warning.
        has_two = len(np.unique(np.concatenate(pair))) > 1
        return {
            "accuracy": float(accuracy_score(*pair)),
            # A label that only dev holds has an F1 of 0, and pulls the mean down: it is a mistake.
            "macro_f1": float(f1_score(*pair, average="macro", zero_division=0.0)),
            "micro_f1": float(f1_score(*pair, average="micro", zero_division=0.0)),
            "matthews": float(matthews_corrcoef(*pair)) if has_two else 0.0,
        }

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors:
        """Returns which labels are taken for which; the worst rows are those it was surest of."""
        tally, wrong = Tally(), dict[int, float]()
        pairs = zip(outcome.predicted, outcome.gold, strict=True)
        named = {
            row: (self.labels.all[int(gold[0])], self.labels.trained[int(read[0])])
            for row, (read, gold) in enumerate(pairs)
            if len(gold)
        }
        for row, (right, guess) in named.items():
            tally.count(right, guess)
            if right != guess:
                wrong[row] = float(outcome.predicted[row][1])

        def show(row: int) -> WrongRow:
            return WrongRow(texts.example(row), texts.row(row), *named[row], 0.0)

        return TaskErrors(
            rows=len(named), unit="rows", wrong=len(wrong), measure="probability of the guess",
            worst=worst_rows(wrong, show), labels=tally.tables(),
        )  # fmt: skip

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the main score of rows that are drawn anew."""
        is_labelled = outcome.is_labelled()
        pairs = zip(outcome.predicted, outcome.gold, strict=True)
        # Of a row without a label nothing counts, its prediction neither.
        ids = np.array([(guess[0], gold[0]) if len(gold) else (-1, -1) for guess, gold in pairs])
        ids = ids.reshape(-1, 2).astype(np.int64)
        if self.main_score in ("accuracy", "micro_f1"):
            is_right = (ids[:, 0] == ids[:, 1]) & is_labelled
            return ratio(np.stack([is_right, is_labelled], axis=1))
        predicted, gold = (one_label(one, labels=max(ids.max(initial=0) + 1, 1)) for one in ids.T)
        found = (
            matthews(predicted, gold)
            if self.main_score == "matthews"
            else macro_f1(predicted, gold, of_found_alone=True)
        )
        return where_labelled(found, is_labelled)

    def read(self, head: Head, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the best label id of each row and its softmax probability, (2,), float64."""
        # Each (batch,): the largest probability and its label id.
        shares, best = torch.softmax(logits.float(), dim=-1).max(dim=-1)
        # One array for both; float64 holds every label id exactly.
        return list(torch.stack([best.double(), shares.double()], dim=1).cpu().numpy())

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns the best label of each text and its softmax probability."""
        return [Label(self.labels.trained[int(row[0])], float(row[1])) for row in rows]

    def cells(self, output: Output) -> dict[str, str]:
        """Returns the label, and its probability in a column of its own."""
        return named_cells({"": "label", "_probability": "probability"}, output)


class ClassificationHead(Head):
    """Cross entropy over the labels of the train split."""

    def __init__(
        self, body: nn.Module, weights: Sequence[float] | None, label_smoothing: float
    ) -> None:
        super().__init__()
        self.body = body
        self._label_smoothing = label_smoothing
        # A buffer, to follow the head to its device. Not saved: it comes from the labels, which a
        # saved model has beside it.
        values = None if weights is None else torch.tensor(weights)
        self.register_buffer("class_weights", values, persistent=False)

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits, (batch, labels)."""
        return self.body(hidden.sentence)  # type: ignore[no-any-return]

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the summed cross entropy of logits (batch, labels) and ids (batch,)."""
        # In fp32: bf16 keeps 8 bits of a logit, too few for the log of a softmax. A sum is 0 where
        # no row has a label, while a mean is NaN. The step divides it by the number of labels, also
        # with class weights, while a mean of torch would divide by the sum of the weights.
        return cross_entropy(
            logits.float(),
            labels,
            weight=self.get_buffer("class_weights"),
            ignore_index=NO_LABEL,
            reduction="sum",
            label_smoothing=self._label_smoothing,
        )

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the best label id of each row, (1,), int64."""
        return list(logits.argmax(dim=-1, keepdim=True).cpu().numpy())


def class_weights(
    name: str, labels: LabelNames, wanted: Literal["none", "balanced"] | Mapping[str, float]
) -> list[float] | None:
    """Returns the factor of each trained label, None when all are 1.

    "balanced" = rows / (labels * rows of the label), as scikit-learn has it (King and Zeng 2001).

    Raises:
        ConfigError: A name is not a label of the train split.
    """
    if wanted == "none":
        return None
    if wanted == "balanced":
        # w_c = n / (C n_c); the mean over all rows of train is 1, so the task weighs what it did.
        total = sum(labels.counts)
        return [total / (len(labels.counts) * count) for count in labels.counts]
    assert not isinstance(wanted, str)
    for label in wanted:
        if label not in labels.trained:
            raise ConfigError(
                f"run.tasks.{name}.class_weights: '{label}' is no label of the train split."
                f"{did_you_mean(label, labels.trained)}"
            )
    return [wanted.get(label, 1.0) for label in labels.trained]
