"""FairGrad: an alpha-fair update."""

from typing import Literal

from pydantic import Field

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class FairGradSection(Section):
    """The update under which the tasks' gains are alpha-fair.

    Ban and Ji 2024, https://arxiv.org/abs/2402.15638.
    """

    kind: Literal["fairgrad"] = "fairgrad"
    alpha: float = Field(default=1.0, gt=0)
    """Fairness: 1 = proportional, large = the worst-off task alone."""

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import FairGradWeighting

        solver = FairGradWeighting(self.alpha)
        # Its weights solve G w = w**(-1 / alpha).
        degree = -self.alpha / (1 + self.alpha)
        return GramianWeighting(weights, solver, seed=seed, degree=degree)
