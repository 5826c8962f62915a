"""IMTL-G: the update with equal projections onto the directions of all gradients."""

from typing import Literal

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class ImtlGSection(Section):
    """The update that projects alike onto all gradients' directions.

    Liu et al. 2021, https://openreview.net/forum?id=IMPnRXEWpvr, the gradient balance of IMTL.
    """

    kind: Literal["imtl_g"] = "imtl_g"

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import IMTLGWeighting

        # sum_i a_i g_i with sum_i a_i = 1 whose product with g_i / |g_i| is the same for all i.
        return GramianWeighting(weights, IMTLGWeighting(), seed=seed)
