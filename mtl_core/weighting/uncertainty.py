"""Uncertainty weighting: a learnt scale per task, as a variance."""

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

        # sum_i exp(-s_i) L_i / 2 + s_i / 2, s_i being a learnt logarithm of a variance.
        return ElementwiseWeighting(weights, {task: UW(()) for task in weights})
