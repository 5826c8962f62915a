"""Smooth Tchebycheff: a soft maximum of the losses, in which the worst task counts most."""

from typing import Literal

from pydantic import Field

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ComparingWeighting


class StchSection(Section):
    """Smooth Tchebycheff: a soft maximum of the losses, in which the worst task counts most.

    Lin et al. 2024, https://arxiv.org/abs/2402.19078.
    """

    kind: Literal["stch"] = "stch"
    mu: float = Field(default=0.5, gt=0)
    """Smoothness; the smaller, the nearer to the maximum alone."""

    def build(self, weights: Weights, *, seed: int) -> ComparingWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import STCH

        # mu log(sum_i exp(L_i / (n mu))), which becomes max_i L_i / n as mu falls.
        return ComparingWeighting(weights, STCH(self.mu))
