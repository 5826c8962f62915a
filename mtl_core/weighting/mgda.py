"""MGDA: the shortest vector in the convex hull of the gradients."""

from typing import Literal

from pydantic import Field

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class MgdaSection(Section):
    """The shortest vector in the convex hull of the gradients.

    Désidéri 2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener and Koltun 2018,
    https://arxiv.org/abs/1810.04650.
    """

    kind: Literal["mgda"] = "mgda"
    epsilon: float = Field(default=1e-3, gt=0)
    """Step at which the Frank-Wolfe solver stops."""
    max_iterations: int = Field(default=100, ge=1)
    """Most steps of the solver."""

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import MGDAWeighting

        # min |sum_i a_i g_i| with a_i >= 0 and sum_i a_i = 1.
        return GramianWeighting(
            weights, MGDAWeighting(self.epsilon, self.max_iterations), seed=seed
        )
