"""Uncertainty weighting: a learnt variance per task scales its loss."""

from typing import Literal

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ElementwiseWeighting


class UncertaintySection(Section):
    """Weights learnt as homoscedastic uncertainty; `tasks.<name>.weight` scales the loss first.

    Kendall, Gal and Cipolla 2018, https://arxiv.org/abs/1705.07115.
    """

    kind: Literal["uncertainty"] = "uncertainty"

    def build(self, weights: Weights, *, seed: int) -> ElementwiseWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import UW

        # sum_i exp(-s_i) L_i / 2 + s_i / 2 with s_i = log sigma_i^2, which is learnt. Without the
        # second term all factors would fall to 0.
        return ElementwiseWeighting(weights, {task: UW(()) for task in weights})
