"""GradNorm: weights that give slowly learning tasks gradients of a larger norm."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import GradientWeighting, Weights


class GradNormSection(Section):
    """Larger gradients for the tasks that learn more slowly.

    Chen et al. 2018, https://arxiv.org/abs/1711.02257.
    """

    kind: Literal["gradnorm"] = "gradnorm"
    alpha: float = Field(default=1.5, ge=0)
    """How strongly slow tasks are favoured; 0 = the same norm for all."""
    lr: float = Field(default=0.025, gt=0)
    """Learning rate of the weights."""

    def build(self, weights: Weights, *, seed: int) -> "GradNorm":
        """Builds the weighting."""
        return GradNorm(weights, alpha=self.alpha, lr=self.lr)


class GradNorm(GradientWeighting):
    """Descends on `sum_i |w_i n_i - mean_j(w_j n_j) r_i^alpha|`, equation 2 of the paper.

    n_i is the norm of a task's gradient, so w_i n_i is the paper's G_i. r_i is the loss divided by
    that of the task's first step, relative to the mean over the tasks. Unlike the paper, the slope
    of w_i, `sign(...) n_i`, is divided by the mean norm, so that the learning rate means the same
    at any scale of the losses; the weights of the present tasks keep their sum.
    """

    def __init__(self, weights: Weights, *, alpha: float, lr: float) -> None:
        super().__init__()
        self._alpha = alpha
        self._lr = lr
        self._task_weights = dict(weights)
        self._positions = {task: number for number, task in enumerate(weights)}
        self.register_buffer("weights", torch.ones(len(weights)))
        self.register_buffer("first_losses", torch.full((len(weights),), float("nan")))

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its gradient now."""
        weights = self.get_buffer("weights").tolist()
        return {
            task: self._task_weights[task] * weights[number]
            for task, number in self._positions.items()
        }

    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update; see `GradientWeighting.forward`."""
        weights, first = self.get_buffer("weights"), self.get_buffer("first_losses")
        rows = torch.tensor([self._positions[task] for task in tasks], device=weights.device)
        # A task's first step may come later than those of others, with other data.
        first[rows] = torch.where(first[rows].isnan(), losses, first[rows])
        now = weights[rows]
        norms = gradients.norm(dim=1)
        ratios = losses / first[rows]
        sizes = now * norms  # G_i, (tasks,)
        # Equation 2 holds the target constant: no slope goes through the mean.
        targets = sizes.mean() * (ratios / ratios.mean()) ** self._alpha
        slopes = torch.sign(sizes - targets) * norms / norms.mean()
        # A weight below 0 would climb the task's loss.
        new = (now - self._lr * slopes).clamp(min=1e-3)
        new = new * now.sum() / new.sum()
        # All gradients may be 0, or a first loss: then the weights stay, instead of being NaN.
        if new.isfinite().all():
            weights[rows] = new
        # By the weights from before; the new ones are those of the next step.
        return now @ gradients
