"""Geometric mean: the product of the losses, so that each gradient is divided by its loss."""

from typing import Literal

from torch import Tensor, nn

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ComparingWeighting

_SMALLEST = 1e-8
"""The loss that stands for 0, whose logarithm has no value."""


class GeometricMeanSection(Section):
    """The geometric mean of the losses: each task's gradient is divided by its loss.

    Chennupati et al. 2019, https://arxiv.org/abs/1904.08492; scaling a loss changes nothing, so
    `tasks.<name>.weight` only switches tasks off.
    """

    kind: Literal["geometric_mean"] = "geometric_mean"

    def build(self, weights: Weights, *, seed: int) -> ComparingWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import GeometricMean

        # (prod_i L_i) ** (1 / n): the slope of L_i is the mean / (n L_i).
        return ComparingWeighting(weights, _Positive(GeometricMean()))


class _Positive(nn.Module):
    """Raises losses of 0, which a batch may well have, for a scalarisation with logarithms."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, losses: Tensor) -> Tensor:
        """Returns the objective of losses, (tasks,)."""
        # Below the bound `clamp` has a slope of 0: such a task gets no gradient in this step.
        objective: Tensor = self.inner(losses.clamp(min=_SMALLEST))
        return objective
