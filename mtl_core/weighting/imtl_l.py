"""IMTL-L: a learnt scale per task that brings all losses to the same size."""

from typing import Literal

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ElementwiseWeighting


class ImtlLSection(Section):
    """Learnt scales that bring all losses to the same size.

    Liu et al. 2021, https://openreview.net/forum?id=IMPnRXEWpvr, the loss balance of IMTL.
    """

    kind: Literal["imtl_l"] = "imtl_l"

    def build(self, weights: Weights, *, seed: int) -> ElementwiseWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import IMTLL

        # sum_i exp(s_i) L_i - s_i, s_i being learnt; its slope is 0 where exp(s_i) L_i is 1.
        return ElementwiseWeighting(weights, {task: IMTLL(()) for task in weights})
