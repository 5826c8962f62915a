"""UPGrad: the mean of the gradients, each projected onto what harms no task."""

from typing import Literal

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class UpGradSection(Section):
    """Projects each gradient onto what harms no task, then takes the mean.

    Quinton and Rey 2024, https://arxiv.org/abs/2406.16232.
    """

    modules = ("qpsolvers", "quadprog")
    kind: Literal["upgrad"] = "upgrad"

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import UPGradWeighting

        # The mean of the projections of all g_i onto {d: g_j d >= 0 for all j}.
        return GramianWeighting(weights, UPGradWeighting(), seed=seed)
