"""PCGrad: takes out of each gradient what opposes another one."""

from typing import Literal

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class PcGradSection(Section):
    """Takes out of each gradient what opposes another one.

    Yu et al. 2020, https://arxiv.org/abs/2001.06782.
    """

    kind: Literal["pcgrad"] = "pcgrad"

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import PCGradWeighting

        # g_i -= (g_i g_j / |g_j|^2) g_j where g_i g_j < 0, for all j in an order drawn anew.
        return GramianWeighting(weights, PCGradWeighting(), seed=seed)
