"""Uncertainty weighting: each task's weight is learnt from its noise."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from mtl_core.section import Section
from mtl_core.weighting.base import Weighting


class Uncertainty(Section):
    """Weights learnt as homoscedastic uncertainty; `tasks.<name>.weight` scales the loss first."""

    kind: Literal["uncertainty"] = "uncertainty"

    def build(self, weights: Mapping[str, float]) -> "UncertaintyWeighting":
        """Builds the weighting for task name -> weight."""
        return UncertaintyWeighting(weights)


class UncertaintyWeighting(Weighting):
    """Sum over tasks of exp(-s) w L / 2 + s / 2, with a learnt log-variance s a task, from 0.

    Kendall, Gal and Cipolla 2018, https://arxiv.org/abs/1705.07115, equation 7 with
    s = log sigma^2. A task that is absent from the batch, or has weight 0, adds nothing: its s
    would otherwise drift with no loss to hold it.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self._weights = dict(weights)
        self._position = {task: number for number, task in enumerate(weights)}
        self.log_variances = nn.Parameter(torch.zeros(len(weights)))

    def forward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> Tensor:
        """Returns the loss to minimise, a scalar, from the losses of the tasks in the batch."""
        total = next(iter(losses.values())).new_zeros(())
        for task, loss in losses.items():
            log_variance = self.log_variances[self._position[task]]
            if self._weights[task] > 0:
                scaled = torch.exp(-log_variance) * self._weights[task] * loss
                total = total + 0.5 * (scaled + share * log_variance)
        return total

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss now."""
        values = self.log_variances.detach().tolist()
        return {
            task: 0.5 * math.exp(-values[position]) * self._weights[task]
            for task, position in self._position.items()
        }
