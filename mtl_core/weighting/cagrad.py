"""CAGrad: the update near the mean gradient that helps the worst task most."""

from typing import Literal

from pydantic import Field

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class CaGradSection(Section):
    """The update near the mean gradient that serves the worst task best.

    Liu et al. 2021, https://arxiv.org/abs/2110.14048.
    """

    modules = ("cvxpy", "clarabel")
    kind: Literal["cagrad"] = "cagrad"
    c: float = Field(default=0.5, ge=0)
    """How far from the mean gradient, relative to its norm; 0 = the mean."""

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import CAGradWeighting

        # argmax_d min_i g_i d with |d - g_0| <= c |g_0|, g_0 being the mean gradient. With a
        # `norm_eps` torchjd makes the update 0 where it is short, as beside a task nearly solved.
        return GramianWeighting(weights, CAGradWeighting(self.c, norm_eps=0.0), seed=seed)
