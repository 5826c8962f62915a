"""AdamW with clipping, the loss scale, and word embeddings that train by the rows of a step."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim import AdamW

from mtl_core.data.arrays import Int64Array
from mtl_core.model.word_rows import RowEmbedding
from mtl_core.training.lazy_rows import LazyRows
from mtl_core.training.loss_scale import LossScale


class RowAdamW:
    """Makes the updates with AdamW; of word embeddings it trains the rows that a step reads.

    The order of calls: `begin`, the backward pass, `step`, then the schedule's step; after the last
    step of an epoch `settle`. Do not read the word embeddings or their state before `settle`. All
    state stands in torch's `AdamW`, in its own form.

    Attributes:
        optimizer: Torch's optimiser over all that trains.
        scale: The loss scale of fp16, moved here; None in other precisions.
        clip_norm: Largest norm of the whole gradient; None = no clipping.
    """

    def __init__(
        self,
        optimizer: AdamW,
        embedding: RowEmbedding | None = None,
        *,
        scale: LossScale | None = None,
        clip_norm: float | None = None,
    ) -> None:
        """Starts where the optimiser's state is.

        Args:
            optimizer: The optimiser.
            embedding: Word embeddings that train by their rows; None = none do.
            scale: The loss scale of fp16; gradients are divided by it already when `step` is
                called.
            clip_norm: Largest norm of the whole gradient; None = no clipping.
        """
        self.optimizer = optimizer
        self.scale = scale
        self.clip_norm = clip_norm
        self._words = None if embedding is None else LazyRows(embedding, optimizer)

    def begin(self, token_ids: Callable[[], Int64Array]) -> None:
        """Makes ready for a step: no gradients, and the rows that it reads are up to date.

        Args:
            token_ids: Returns the ids of the step, that of padding included, over all workers and
                micro-batches; called only where word embeddings train by their rows.
        """
        # None, not 0: AdamW passes over what has no gradient, as a head of another data set. With 0
        # it would decay it and move it on by its momentum.
        self.optimizer.zero_grad(set_to_none=True)
        if self._words is not None:
            self._words.pick(token_ids())

    def trained(self) -> list[Tensor]:
        """Returns all that may have a gradient in this step; of word embeddings the rows."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        return [*parameters, *self._rows()]

    @torch.no_grad()
    def moves(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yields what a step on other gradients would take off tensors that train; makes none.

        It is the part of AdamW's step that these gradients make: without weight decay, and without
        the momentum that earlier steps have left.
            lr m^ / (sqrt(v^) + eps)
            m^ = (1 - b1) g / (1 - b1^t),   v^ = (b2 v + (1 - b2) g^2) / (1 - b2^t)
        with t the step that would be made. Clipped like the gradient of a step.

        Args:
            tensors: Some of `trained`.
            gradients: The gradient of each.
        """
        divisor = self._clip_divisor(get_total_norm(list(gradients)))
        groups = {id(p): group for group in self.optimizer.param_groups for p in group["params"]}
        for tensor, whole in zip(tensors, gradients, strict=True):
            if self._words is not None and tensor is self._words.rows:
                square, made, group = self._words.variance()
            else:
                state, group = self.optimizer.state.get(tensor, {}), groups[id(tensor)]
                square, made = state.get("exp_avg_sq"), int(state.get("step", 0))
            gradient, (beta1, beta2) = whole / divisor, group["betas"]
            new = (gradient * gradient).mul_(1 - beta2)
            if square is not None:
                new.add_(square, alpha=beta2)
            below = new.sqrt_().div_(math.sqrt(1 - beta2 ** (made + 1))).add_(group["eps"])
            rate = float(group["lr"]) * (1 - beta1) / (1 - beta1 ** (made + 1))
            yield gradient.div_(below).mul_(rate)

    def step(self) -> bool:
        """Makes the update from the gradients that stand; returns whether it was made.

        In fp16 a step whose gradients overflow is skipped: nothing that trains changes.

        Raises:
            TrainingError: The gradients overflow whatever the scale, or a head has used the word
                embeddings past `HiddenSize.vocabulary`.
        """
        if self._words is not None:
            self._words.check()
        if not self._scale_and_clip():
            return False
        # Both take the group's learning rate, so the schedule may move it only afterwards.
        self.optimizer.step()
        if self._words is not None:
            self._words.step()
        return True

    def settle(self) -> None:
        """Brings all word embeddings and the optimiser's state up to date."""
        if self._words is not None:
            self._words.settle()

    def _scale_and_clip(self) -> bool:
        """Moves the loss scale and clips the gradients; returns whether they are finite."""
        if self.scale is None and self.clip_norm is None:
            return True
        # Gradients are summed over the workers by now, so all find the same norm and decide alike.
        norm = get_total_norm([t.grad for t in self.trained() if t.grad is not None])
        if self.scale is not None:
            is_finite = bool(norm.isfinite())
            self.scale.update(is_finite=is_finite)
            if not is_finite:
                return False
        if self.clip_norm is not None:
            divisor = self._clip_divisor(norm)
            # The fused optimiser divides by it while it reads the gradients: no pass of its own
            # over all of them, as `clip_grad_norm_` makes.
            self.optimizer.grad_scale = divisor  # type: ignore[attr-defined]
            for rows in self._rows():
                if rows.grad is not None:
                    rows.grad.div_(divisor)
        return True

    def _clip_divisor(self, norm: Tensor) -> Tensor:
        """Returns what clipping divides a gradient of this norm by; 1 where nothing is clipped."""
        if self.clip_norm is None:
            return torch.ones_like(norm)
        # g / max(1, (|g| + 1e-6) / clip_norm), the 1e-6 as `clip_grad_norm_` has it.
        return ((norm + 1e-6) / self.clip_norm).clamp(min=1.0)

    def _rows(self) -> list[Tensor]:
        return [] if self._words is None else [self._words.rows]
