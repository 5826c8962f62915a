"""Losses of tasks that predict tokens: each row counts as one label, however many it has."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mtl_core.data.arrays import NO_LABEL
from mtl_core.error_counts import worst_rows
from mtl_core.task_errors import TaskErrors, WrongRow
from mtl_core.tasks.outcome import Decoded
from mtl_core.tasks.row_texts import RowTexts


def row_means_summed(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Returns the mean loss of each row's targets, summed over rows, a scalar; 0 without any.

    A row weighs the same however many targets it has, so that the sizes of batches are known
    before anything is drawn.

    Args:
        logits: (targets, vocabulary), in the order of the targets in `labels`, row by row.
        labels: Token ids, int64, `NO_LABEL` where there is no target, (batch, length).
        label_smoothing: Share of the probability that goes to all tokens alike, in [0, 1).
    """
    is_target = labels != NO_LABEL
    # (batch, length) -> (targets,): how many share the weight of their row
    per_row = is_target.sum(dim=1, keepdim=True).expand_as(labels)[is_target]
    losses = cross_entropy(
        logits.float(), labels[is_target], reduction="none", label_smoothing=label_smoothing
    )
    return (losses / per_row).sum()


def row_totals(logits: Tensor, labels: Tensor) -> list[Decoded]:
    """Returns (summed loss in nats, right, count) of each row's targets, (3,), float64.

    Args:
        logits: As in `row_means_summed`.
        labels: Likewise.
    """
    is_target = labels != NO_LABEL
    gold = labels[is_target]
    parts = (
        cross_entropy(logits.float(), gold, reduction="none"),
        (logits.argmax(dim=-1) == gold).float(),
        torch.ones_like(gold, dtype=torch.float32),
    )
    # (targets, 3) -> (batch, length, 3), as only the rows tell whose targets these are.
    table = torch.zeros(*labels.shape, 3, device=logits.device)
    table[is_target] = torch.stack(parts, dim=-1)
    return list(table.sum(dim=1).double().cpu().numpy())


def token_errors(
    totals: Sequence[Decoded], texts: RowTexts, text_of: Callable[[int], str]
) -> TaskErrors:
    """Returns the pieces of text whose tokens are foreseen worst, by their perplexity.

    Args:
        totals: What `row_totals` returned of each row, (3,).
        texts: The rows.
        text_of: Returns the text of a row.
    """

    def show(row: int) -> WrongRow:
        return WrongRow(texts.example(row), text_of(row), "", "", 0.0)

    means = {row: float(loss / count) for row, (loss, _, count) in enumerate(totals) if count}
    # What is over e^700 is no float.
    values = {row: math.exp(min(mean, 700.0)) for row, mean in means.items()}
    return TaskErrors(
        rows=len(means), unit="pieces of text", measure="perplexity",
        worst=worst_rows(values, show),
    )  # fmt: skip
