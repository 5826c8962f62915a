"""Multilabel: any number of labels per sentence, with thresholds tuned on dev or given."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.source import Source
from mtl_core.error_counts import worst_rows
from mtl_core.errors import DataError
from mtl_core.task_errors import LabelErrors, LabelTables, TaskErrors, WrongRow
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Label, Output, TextView
from mtl_core.tasks.rescoring import Rescore, macro_f1, micro_f1, ratio, where_labelled
from mtl_core.tasks.row_texts import RowTexts


class Multilabel(TaskSection):
    """A set of labels per sentence or pair; scored by micro and macro F1 and subset accuracy."""

    pipeline: ClassVar[str | None] = "text-classification"
    at_decoding: ClassVar = ("thresholds",)
    kind: Literal["multilabel"] = "multilabel"
    main_score: Literal["micro_f1", "macro_f1", "accuracy"] = "micro_f1"
    """The score that objectives combine; accuracy = the whole set is right."""

    thresholds: Literal["each", "shared"] | Annotated[float, Field(gt=0, lt=1)] = "each"
    """From which probability on a label is predicted: `each` = one per label, that of its best F1
    on dev; `shared` = one for all, that of the best micro F1 on dev; or a number for all."""
    names: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    """Names of the labels, where rows are multi-hot such as [1, 0, 0]; null = rows name them."""
    takes_columns: ClassVar = True

    @model_validator(mode="after")
    def _check_names(self) -> "Multilabel":
        if self.names is not None and isinstance(self.column, tuple):
            raise ValueError("names: labels are named by their columns; leave `names` out")
        return self

    def make_column(self, name: str, column: str) -> LabelSetColumn:
        """Returns its column."""
        columns = self.column if isinstance(self.column, tuple) else ()
        return LabelSetColumn(name, column, columns, self.names or ())

    def build(self, name: str, labels: LabelNames) -> "MultilabelTask":
        """Builds the task for its labels."""
        return MultilabelTask(name, labels, self)


class MultilabelTask(Task):
    """The labels, thresholds and scores of sets of labels; see `Task`."""

    labels: LabelNames

    def __init__(self, name: str, labels: LabelNames, section: Multilabel) -> None:
        """Makes the task.

        Raises:
            DataError: All sets of the train split are empty.
        """
        if not labels.trained:
            raise DataError(f"task '{name}': no row of the train split has any label")
        self.name = name
        self.labels = labels
        self.main_score = section.main_score
        self._section = section

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head."""
        count = len(self.labels.trained)
        return MultilabelHead(self._section.head.build(size.hidden + size.features, count), count)

    def calibrate(self, head: Head, outcome: Outcome) -> None:
        """Sets each label's threshold to the one with the highest F1 on dev, or all to one.

        0.5 for a label that no row of dev carries.
        """
        predicted, gold = outcome.labelled()
        if not gold:
            return
        pair = np.stack(predicted), np.stack(gold)  # (rows, labels), (rows, at least labels)
        if self._section.thresholds == "shared":
            # Every label of every row is a yes or no of one label: its F1 is the micro F1 of all.
            count = pair[0].shape[1]
            pair = pair[0].reshape(-1, 1), pair[1][:, :count].reshape(-1, 1)
        thresholds = torch.from_numpy(best_thresholds(*pair))
        head.get_buffer("thresholds").copy_(thresholds)

    def _thresholds(self, head: Head) -> torch.Tensor:
        """Returns the threshold of each label, (labels,)."""
        found = head.get_buffer("thresholds").cpu()
        wanted = self._section.thresholds
        return found if isinstance(wanted, str) else torch.full_like(found, wanted)

    def finish(self, head: Head, outcome: Outcome) -> Outcome:
        """Returns the outcome with 0 or 1 per label, also for labels that training never shows."""
        thresholds = self._thresholds(head).numpy()
        # Gold rows are as wide as all labels; those that are never trained are never predicted.
        unseen = np.zeros(len(self.labels.unseen), dtype=np.int64)
        predicted = [
            np.concatenate([(row >= thresholds).astype(np.int64), unseen])
            for row in outcome.predicted
        ]
        return Outcome(predicted, outcome.gold, outcome.source)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns the scores of 0 or 1 per label, by scikit-learn."""
        from sklearn.metrics import accuracy_score, f1_score

        predicted, gold = outcome.labelled()
        if not gold:
            return dict.fromkeys(("micro_f1", "macro_f1", "accuracy"), float("nan"))
        pair = np.stack(gold), np.stack(predicted)
        return {
            "micro_f1": float(f1_score(*pair, average="micro", zero_division=0.0)),
            "macro_f1": float(f1_score(*pair, average="macro", zero_division=0.0)),
            "accuracy": float(accuracy_score(*pair)),
        }

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors | None:
        """Returns how often each label is missed, and given where it is not right."""
        rows = np.flatnonzero(outcome.is_labelled())
        if not len(rows):
            return None
        predicted, gold = self.finish(head, outcome).labelled()
        guess, right = np.stack(predicted).astype(bool), np.stack(gold).astype(bool)
        # Each is (rows, labels).
        counts = zip(right.sum(0), guess.sum(0), (right & guess).sum(0), strict=True)
        pairs = zip(self.labels.all, counts, strict=True)
        each = tuple(LabelErrors(label, *map(int, found)) for label, found in pairs)
        missed, extra = right & ~guess, guess & ~right
        wrong = (missed | extra).sum(axis=1)  # (rows,)
        place = {int(row): number for number, row in enumerate(rows) if wrong[number]}

        def show(row: int) -> WrongRow:
            lacks, has = (
                ", ".join(self.labels.all[label] for label in np.flatnonzero(some[place[row]]))
                for some in (missed, extra)
            )
            return WrongRow(texts.example(row), texts.row(row), lacks, has, 0.0)

        return TaskErrors(
            rows=len(rows), unit="rows", wrong=len(place), measure="labels missed or wrong",
            worst=worst_rows({row: float(wrong[number]) for row, number in place.items()}, show),
            labels=LabelTables("label", each, (), len(each), 0),
        )  # fmt: skip

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the main score of rows that are drawn anew."""
        from scipy.sparse import csr_array

        is_labelled = outcome.is_labelled()
        predicted, gold = (np.zeros((len(is_labelled), len(self.labels.all))) for _ in range(2))
        for row in np.flatnonzero(is_labelled).tolist():
            predicted[row], gold[row] = outcome.predicted[row], outcome.gold[row]
        if self.main_score == "accuracy":
            is_right = (predicted == gold).all(axis=1) & is_labelled
            return ratio(np.stack([is_right, is_labelled], axis=1))
        if self.main_score == "micro_f1":
            parts = [(predicted * gold).sum(axis=1), predicted.sum(axis=1), gold.sum(axis=1)]
            found = micro_f1(np.stack(parts, axis=1))
        else:
            found = macro_f1(csr_array(predicted), csr_array(gold), of_found_alone=False)
        return where_labelled(found, is_labelled)

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns the labels of each text that reach their thresholds."""
        thresholds = self._thresholds(head).tolist()
        return [
            tuple(
                Label(label, share)
                for label, share, least in zip(
                    self.labels.trained, row.tolist(), thresholds, strict=True
                )
                if share >= least
            )
            for row in rows
        ]


class MultilabelHead(Head):
    """Binary cross entropy, the mean over all labels of a sentence."""

    def __init__(self, body: nn.Module, num_labels: int) -> None:
        super().__init__()
        self.body = body
        # Saved with the model: only dev, which a predictor does not have, could tell them again.
        self.register_buffer("thresholds", torch.full((num_labels,), 0.5))

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits, (batch, labels)."""
        return self.body(hidden.sentence)  # type: ignore[no-any-return]

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the loss of logits (batch, labels) and indicators, summed over the sentences."""
        # (batch, all labels) -> (batch, trained labels)
        target = labels[:, : logits.shape[1]]
        # A missing row has -100 everywhere: it takes part as 0, to be finite, and is left out
        # below.
        losses = binary_cross_entropy_with_logits(
            logits.float(), target.clamp(min=0).float(), reduction="none"
        )
        # The mean over labels: a row weighs as one label, however many there are to choose from.
        return losses.mean(dim=1)[target[:, 0] != NO_LABEL].sum()

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the probability of every label for each row, (labels,), float32."""
        return list(torch.sigmoid(logits.float()).cpu().numpy())


def best_thresholds(
    probabilities: Decoded, gold: Decoded
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Returns the threshold of each label that gives the highest F1, (labels,).

    Args:
        probabilities: (rows, labels).
        gold: 0 or 1, (rows, at least labels).
    """
    from sklearn.metrics import precision_recall_curve

    thresholds = np.full(probabilities.shape[1], 0.5, dtype=np.float32)
    for label in range(len(thresholds)):
        if gold[:, label].any():
            precision, recall, found = precision_recall_curve(
                gold[:, label], probabilities[:, label]
            )
            # 2PR / (P + R), the last point has no threshold; the sum is 0 only where both are.
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
            best = int(np.argmax(f1[:-1]))  # `found` rises; of equal F1 the lowest threshold
            # Half-way to the next lower probability: another batch or precision moves it a little.
            below = found[best - 1] if best else np.float32(0)
            middle = (found[best] + below) / 2
            # Where float32 has nothing in between, the middle would let the lower one pass, too.
            thresholds[label] = middle if middle > below else found[best]
    return thresholds
