"""Losses of tasks that predict tokens: each row counts as one label, however many it has."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mtl_core.data.arrays import NO_LABEL
from mtl_core.tasks.outcome import Decoded


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
