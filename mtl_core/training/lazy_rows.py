"""AdamW over the word embeddings that a step reads; all others catch up when they are read next.

AdamW moves every row in every step: where the gradient is zero, by what momentum is left, and by
weight decay. For a row without a gradient since step s this has a closed form, so it is computed
when the row is needed. The numbers are those of AdamW over the whole matrix but for its eps, which
`LazyRows` tells of; what is saved is reading and writing four matrices of the size of the
vocabulary in each step.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

from mtl_core.data.arrays import Int64Array
from mtl_core.errors import TrainingError
from mtl_core.model.word_rows import RowEmbedding


class LazyRows:
    """Takes the word embeddings through an optimiser's steps; the optimiser leaves them out.

    Momentum and variance stand in the optimiser's state, as AdamW keeps them itself, and are up
    to date after `settle`: then checkpoints can be written, and the whole matrix be read.

    With m and v at step s, and no gradient from there to step t, AdamW's weights are
        w_t = keep w_s - tail m / (sqrt(v) + eps'),   keep = prod_j (1 - lr_j decay)
        tail = sum_j lr_j sqrt(1 - b2^j) / (1 - b1^j) (b1 / sqrt(b2))^(j - s) prod_{i>j} (...)
    where eps' = eps sqrt(1 - b2^t), that of step t, stands for eps sqrt(1 - b2^j) in each of them.
    It is too large, and the row moves too little, where eps matters: after one gradient of 1e-5,
    1e-6 or 1e-7 in the first step by 0.4, 4 or 25 % over the next 50, by less when it comes later.
    """

    def __init__(self, embedding: RowEmbedding, optimizer: AdamW) -> None:
        """Starts where the optimiser's state is.

        Args:
            embedding: The word embeddings; a group of the optimiser holds their weight.
            optimizer: The optimiser of the run.
        """
        self._embedding = embedding
        self._weight = weight = embedding.weight
        self._group = next(
            group for group in optimizer.param_groups if any(p is weight for p in group["params"])
        )
        self._state = state = optimizer.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        self._step = int(state["step"])
        self._moved = torch.full((len(weight),), 0, device=weight.device)
        self._seen = state["exp_avg_sq"].any(dim=1)
        self._start()

    @property
    def rows(self) -> Tensor:
        """The rows of this step, (ids, size), with their gradient after the backward pass."""
        assert self._embedding.rows is not None
        return self._embedding.rows

    @torch.no_grad()
    def pick(self, token_ids: Int64Array) -> None:
        """Hands the embedding the rows that a step reads, up to date.

        Args:
            token_ids: The ids of the step, that of padding included, over all workers and parts,
                in any order and shape.
        """
        different = np.unique(token_ids).astype(np.int64)
        # The embedding's own padding row, which never gets a gradient, has to come last. It need
        # not be the row that batches are padded with.
        padding = self._embedding.padding_idx
        if padding is not None:
            different = np.append(different[different != padding], padding)
        self._ids = torch.from_numpy(different).to(self._weight.device)
        rows, self._mean, self._square = self._caught_up(self._ids)
        self._embedding.pick(self._ids, rows)

    @torch.no_grad()
    def step(self) -> None:
        """Makes AdamW's step from the gradient of the picked rows.

        Raises:
            TrainingError: A head has sent a gradient to the whole matrix.
        """
        if self._weight.grad is not None:
            raise TrainingError(
                "a head uses the encoder's word embeddings; set `shares_embeddings = True` on its "
                "class, so that all of them train"
            )
        gradient = self.rows.grad
        assert gradient is not None
        beta1, beta2 = self._group["betas"]
        self._step += 1
        rate = self._advance()
        rows, mean, square = self.rows.detach(), self._mean, self._square
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        below = (square.sqrt() / math.sqrt(1 - beta2**self._step)).add_(self._group["eps"])
        rows.mul_(1 - rate * self._group["weight_decay"])
        rows.addcdiv_(mean, below, value=-rate / (1 - beta1**self._step))
        self._write(self._ids, rows, mean, square)
        self._seen[self._ids] = True

    @torch.no_grad()
    def settle(self) -> None:
        """Brings all rows and the optimiser's state up to date, and drops the picked ones."""
        self._embedding.drop()
        seen = self._seen.nonzero().squeeze(1)
        rows, mean, square = self._caught_up(seen)
        # Rows that never had a gradient only decay.
        self._weight.mul_(self._keep[self._moved].to(self._weight.dtype).unsqueeze(1))
        self._write(seen, rows, mean, square)
        self._state["step"].fill_(self._step)
        self._start()

    def _start(self) -> None:
        """Counts steps from here; all rows are up to date."""
        self._base = self._step
        self._moved.zero_()
        # By the step that a row is up to date with, counted from the base.
        self._keep, self._tail, self._fade = (
            torch.tensor([value], dtype=torch.float64, device=self._weight.device)
            for value in (1.0, 0.0, 1.0)
        )

    def _advance(self) -> float:
        """Adds a step to what rows without a gradient have to catch up; returns its rate."""
        rate, (beta1, beta2) = float(self._group["lr"]), self._group["betas"]
        decay = 1 - rate * self._group["weight_decay"]
        correction = math.sqrt(1 - beta2**self._step) / (1 - beta1**self._step)
        self._fade *= beta1 / math.sqrt(beta2)
        self._keep *= decay
        self._tail.mul_(decay).add_(self._fade, alpha=rate * correction)
        fresh = self._keep.new_tensor([1.0, 0.0, 1.0])
        self._keep = torch.cat([self._keep, fresh[:1]])
        self._tail = torch.cat([self._tail, fresh[1:2]])
        self._fade = torch.cat([self._fade, fresh[2:]])
        return rate

    def _caught_up(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns weights, momentum and variance of rows as of now, (ids, size) each."""
        beta1, beta2 = self._group["betas"]
        moved = self._moved[ids]
        missed = (self._step - self._base - moved).unsqueeze(1)
        keep, tail = (part[moved].float().unsqueeze(1) for part in (self._keep, self._tail))
        mean, square = self._state["exp_avg"][ids], self._state["exp_avg_sq"][ids]
        eps = self._group["eps"] * math.sqrt(1 - beta2 ** max(1, self._step))
        rows = self._weight.detach()[ids] * keep - tail * mean / (square.sqrt() + eps)
        return rows, mean * torch.pow(beta1, missed), square * torch.pow(beta2, missed)

    def _write(self, ids: Tensor, rows: Tensor, mean: Tensor, square: Tensor) -> None:
        self._weight[ids] = rows
        self._state["exp_avg"][ids] = mean
        self._state["exp_avg_sq"][ids] = square
        self._moved[ids] = self._step - self._base
