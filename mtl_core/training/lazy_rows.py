"""Word embeddings that take AdamW's steps late: each row catches up when it is read next.

AdamW moves every row in every step: where the gradient is zero, by what momentum is left, and by
weight decay. For a row without a gradient since step s this has a closed form, so it is computed
when the row is needed. The numbers are those of AdamW over the whole matrix except for its eps, see
`SkippedSteps`. This saves reading and writing four matrices of the size of the vocabulary in each
step.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

from mtl_core.data.arrays import Int64Array
from mtl_core.model.word_rows import RowEmbedding


class SkippedSteps:
    """What AdamW does to a row over steps that give it no gradient.

    With m and v at step s, and no gradient from there to step t, AdamW's weights are
        w_t = keep w_s - tail m / (sqrt(v) + eps'),   keep = prod_j (1 - lr_j decay)
        tail = sum_j lr_j sqrt(1 - b2^j) / (1 - b1^j) (b1 / sqrt(b2))^(j - s) prod_{i>j} (...)
    where eps' = eps sqrt(1 - b2^t), that of step t, stands for eps sqrt(1 - b2^j) in each of them.
    It is too large, and the row moves too little, where eps matters: after one gradient of 1e-5,
    1e-6 or 1e-7 in the first step by 0.4, 4 or 25 % over the next 50, by less when it comes later.

    Attributes:
        step: Steps that the optimiser has made.
        base: Steps that it had made when the counting began, with all rows up to date.
        keep: At index s - base, for a row that is up to date with step s: the factor of its
            weights, (steps since the base + 1,), float64.
        tail: At the same index, the factor of momentum over root of variance, alike.
    """

    def __init__(self, step: int, device: torch.device) -> None:
        self.step = self.base = step
        # `_fade` is (b1 / sqrt(b2))^(t - s). In float64, as they are products over many steps.
        self.keep, self.tail, self._fade = (
            torch.tensor([value], dtype=torch.float64, device=device) for value in (1.0, 0.0, 1.0)
        )

    def advance(self, group: Mapping[str, Any]) -> float:
        """Adds a step that the optimiser makes now; returns its learning rate.

        Args:
            group: The optimiser's group of the word embeddings, before the schedule moves it on.
        """
        self.step += 1
        rate, (beta1, beta2) = float(group["lr"]), group["betas"]
        decay = 1 - rate * group["weight_decay"]
        # The bias corrections of m and v at this step, sqrt(1 - b2^j) / (1 - b1^j).
        correction = math.sqrt(1 - beta2**self.step) / (1 - beta1**self.step)
        self._fade *= beta1 / math.sqrt(beta2)
        self.keep *= decay
        # AdamW decays first and moves then: the move of this step is not decayed by it.
        self.tail.mul_(decay).add_(self._fade, alpha=rate * correction)
        # A row that this step moves has nothing to catch up.
        fresh = self.keep.new_tensor([1.0, 0.0, 1.0])
        self.keep = torch.cat([self.keep, fresh[:1]])
        self.tail = torch.cat([self.tail, fresh[1:2]])
        self._fade = torch.cat([self._fade, fresh[2:]])
        return rate


@dataclass(frozen=True, slots=True)
class Moments:
    """Rows with their state in AdamW.

    Attributes:
        ids: The rows, (ids,), int64.
        weights: (ids, size), as are the others.
        mean: Momentum: the running mean of gradients.
        square: Variance: that of their squares.
    """

    ids: Tensor
    weights: Tensor
    mean: Tensor
    square: Tensor


class LazyRows:
    """Takes the word embeddings through an optimiser's steps; the optimiser leaves them out.

    The order of calls in a step: `pick`, forward and backward pass, the optimiser's own step,
    `step`, and only then the schedule, which changes the rate. Momentum and variance stand in the
    optimiser's state, as AdamW keeps them itself, and are up to date after `settle`: then
    checkpoints can be written, and the whole matrix be read.
    """

    def __init__(self, embedding: RowEmbedding, optimizer: AdamW) -> None:
        """Starts where the optimiser's state is.

        Args:
            embedding: The word embeddings; a group of the optimiser holds their weight.
            optimizer: The optimiser of the run.
        """
        self._embedding, weight = embedding, embedding.weight
        self._group = next(
            group for group in optimizer.param_groups if any(p is weight for p in group["params"])
        )
        self._state = state = optimizer.state[weight]
        # As AdamW fills it in its first step; this matrix has no gradient, so AdamW never does.
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        # The step that each row is up to date with, counted from the base, (vocabulary,), int64.
        self._moved = torch.full((len(weight),), 0, device=weight.device)
        # Whether a row ever had a gradient; others have no momentum and only decay.
        self._seen = state["exp_avg_sq"].any(dim=1)
        self._skipped = SkippedSteps(int(state["step"]), weight.device)
        self._picked: Moments | None = None

    @property
    def rows(self) -> Tensor:
        """The rows of this step, (ids, size), with their gradient after the backward pass."""
        assert self._embedding.rows is not None
        return self._embedding.rows

    def variance(self) -> tuple[Tensor, int, Mapping[str, Any]]:
        """Returns AdamW's variance of the picked rows, (ids, size), the steps made, the group."""
        assert self._picked is not None, "`pick` comes first"
        return self._picked.square, self._skipped.step, self._group

    @torch.no_grad()
    def pick(self, token_ids: Int64Array) -> None:
        """Hands the embedding the rows that a step reads, up to date.

        Args:
            token_ids: The ids of the step, that of padding included, over all workers and
                micro-batches, in any order and shape.
        """
        different = np.unique(token_ids).astype(np.int64)
        # The embedding's own padding row, which never gets a gradient, has to come last. It need
        # not be the row that batches are padded with.
        padding = self._embedding.padding_idx
        if padding is not None:
            different = np.append(different[different != padding], padding)
        ids = torch.from_numpy(different).to(self._moved.device)
        self._picked = self._caught_up(ids)
        self._embedding.pick(ids, self._picked.weights)

    def check(self) -> None:
        """Looks at the gradients of a step before anything is made of them.

        Raises:
            TrainingError: A head has sent a gradient to the whole matrix, which the optimiser's own
                step would apply as well.
        """
        self._embedding.check_unused(self._embedding.weight.grad)

    @torch.no_grad()
    def step(self) -> None:
        """Makes AdamW's step from the gradient of the picked rows; `check` comes before."""
        gradient, picked, group = self.rows.grad, self._picked, self._group
        assert gradient is not None
        assert picked is not None
        beta1, beta2 = group["betas"]
        # Advanced first: the rows written below are up to date with this step.
        rate = self._skipped.advance(group)
        step, rows = self._skipped.step, self.rows.detach()
        # m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2; then w -= lr decay w, and at last
        # w -= lr m^ / (sqrt(v^) + eps), with m^ and v^ corrected for their start at 0.
        picked.mean.lerp_(gradient, 1 - beta1)
        picked.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        below = (picked.square.sqrt() / math.sqrt(1 - beta2**step)).add_(group["eps"])
        rows.mul_(1 - rate * group["weight_decay"])
        rows.addcdiv_(picked.mean, below, value=-rate / (1 - beta1**step))
        self._write(Moments(picked.ids, rows, picked.mean, picked.square))
        self._seen[picked.ids] = True

    @torch.no_grad()
    def settle(self) -> None:
        """Brings all rows and the optimiser's state up to date, and drops the picked ones."""
        self._embedding.drop()
        self._picked = None
        weight = self._embedding.weight
        # Read before the whole matrix decays: these rows decay by their own closed form.
        seen = self._caught_up(self._seen.nonzero().squeeze(1))
        # All decay here; those that have momentum besides are written over below.
        weight.mul_(self._skipped.keep[self._moved].to(weight.dtype).unsqueeze(1))
        self._write(seen)
        # AdamW passes the matrix over, and so its count of steps.
        self._state["step"].fill_(self._skipped.step)
        self._skipped = SkippedSteps(self._skipped.step, weight.device)
        self._moved.zero_()

    def _caught_up(self, ids: Tensor) -> Moments:
        """Returns rows brought up to date, as copies; see `SkippedSteps` for the equation."""
        skipped, (beta1, beta2) = self._skipped, self._group["betas"]
        moved = self._moved[ids]
        missed = (skipped.step - skipped.base - moved).unsqueeze(1)  # (ids, 1)
        keep, tail = (part[moved].float().unsqueeze(1) for part in (skipped.keep, skipped.tail))
        mean, square = self._state["exp_avg"][ids], self._state["exp_avg_sq"][ids]
        # eps'. At step 0 it would be 0, and rows without state 0 / 0.
        eps = self._group["eps"] * math.sqrt(1 - beta2 ** max(1, skipped.step))
        old = self._embedding.weight.detach()[ids]
        weights = old * keep - tail * mean / (square.sqrt() + eps)
        return Moments(
            ids, weights, mean * torch.pow(beta1, missed), square * torch.pow(beta2, missed)
        )

    def _write(self, rows: Moments) -> None:
        self._embedding.weight[rows.ids] = rows.weights
        self._state["exp_avg"][rows.ids] = rows.mean
        self._state["exp_avg_sq"][rows.ids] = rows.square
        self._moved[rows.ids] = self._skipped.step - self._skipped.base
