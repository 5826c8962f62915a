"""Weightings of the tasks' gradients on the shared parameters, by torchjd.

Heads get the gradient of their own task, times `tasks.<name>.weight`; only the parameters in
front of all heads get the combined gradient.
"""

from typing import Literal

from pydantic import Field

from mtl_core.section import Section
from mtl_core.weighting.aggregators import (
    GramianWeighting,
    NashBargaining,
    RunningCosines,
    SignDropping,
)
from mtl_core.weighting.base import GradientWeighting, Weights


class PcGrad(Section):
    """Takes out of each gradient what opposes another one.

    Yu et al. 2020, https://arxiv.org/abs/2001.06782.
    """

    kind: Literal["pcgrad"] = "pcgrad"

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import PCGradWeighting

        return GramianWeighting(weights, PCGradWeighting(), seed=seed)


class CaGrad(Section):
    """The update near the mean gradient that serves the worst task best.

    Liu et al. 2021, https://arxiv.org/abs/2110.14048.
    """

    kind: Literal["cagrad"] = "cagrad"
    c: float = Field(default=0.5, ge=0)
    """How far from the mean gradient, relative to its norm; 0 = the mean."""

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import CAGradWeighting

        return GramianWeighting(weights, CAGradWeighting(self.c, norm_eps=0.0), seed=seed)


class UpGrad(Section):
    """Projects each gradient onto what harms no task, then takes the mean.

    Quinton and Rey 2024, https://arxiv.org/abs/2406.16232.
    """

    kind: Literal["upgrad"] = "upgrad"

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import UPGradWeighting

        return GramianWeighting(weights, UPGradWeighting(), seed=seed)


class Mgda(Section):
    """The shortest vector in the convex hull of the gradients.

    Désidéri 2012, https://doi.org/10.1016/j.crma.2012.03.014; Sener and Koltun 2018,
    https://arxiv.org/abs/1810.04650.
    """

    kind: Literal["mgda"] = "mgda"
    epsilon: float = Field(default=1e-3, gt=0)
    """Step at which the Frank-Wolfe solver stops."""
    max_iterations: int = Field(default=100, ge=1)
    """Most steps of the solver."""

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import MGDAWeighting

        return GramianWeighting(
            weights, MGDAWeighting(self.epsilon, self.max_iterations), seed=seed
        )


class GradVac(Section):
    """Turns each pair of gradients to the cosine that the pair has had so far.

    Wang et al. 2021, https://arxiv.org/abs/2010.05874.
    """

    kind: Literal["gradvac"] = "gradvac"
    beta: float = Field(default=0.5, ge=0, le=1)
    """Share of the newest cosine in the running one."""

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import GradVacWeighting

        return RunningCosines(weights, GradVacWeighting(self.beta), seed=seed)


class GradDrop(Section):
    """Keeps, number by number, the gradients of one sign, drawn by how far that sign prevails.

    Chen et al. 2020, https://arxiv.org/abs/2010.06808.
    """

    kind: Literal["graddrop"] = "graddrop"

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        return SignDropping(weights, seed=seed)


class AlignedMtl(Section):
    """Makes the gradients orthogonal and of one length, changing them as little as possible.

    Senushkin et al. 2023, https://arxiv.org/abs/2305.19000.
    """

    kind: Literal["aligned_mtl"] = "aligned_mtl"
    scale: Literal["min", "median", "rmse"] = "min"
    """Which of the singular values becomes the length of all."""

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import AlignedMTLWeighting

        return GramianWeighting(weights, AlignedMTLWeighting(scale_mode=self.scale), seed=seed)


class FairGrad(Section):
    """The update under which the tasks' gains are alpha-fair.

    Ban and Ji 2024, https://arxiv.org/abs/2402.15638.
    """

    kind: Literal["fairgrad"] = "fairgrad"
    alpha: float = Field(default=1.0, gt=0)
    """Fairness: 1 = proportional, large = the worst-off task alone."""

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import FairGradWeighting

        solver = FairGradWeighting(self.alpha)
        # Its weights solve G w = w**(-1 / alpha).
        degree = -self.alpha / (1 + self.alpha)
        return GramianWeighting(weights, solver, seed=seed, degree=degree)


class ImtlG(Section):
    """The update that projects alike onto all gradients' directions.

    Liu et al. 2021, https://openreview.net/forum?id=IMPnRXEWpvr, the gradient balance of IMTL.
    """

    kind: Literal["imtl_g"] = "imtl_g"

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import IMTLGWeighting

        return GramianWeighting(weights, IMTLGWeighting(), seed=seed)


class Nash(Section):
    """The Nash bargaining solution between the tasks.

    Navon et al. 2022, https://arxiv.org/abs/2202.01017.
    """

    kind: Literal["nash"] = "nash"
    max_norm: float = Field(default=1.0, gt=0)
    """Longest update."""
    update_every: int = Field(default=1, ge=1)
    """Steps between bargains; in between the last weights stay."""

    def build(self, weights: Weights, *, seed: int) -> GradientWeighting:
        """Builds the weighting."""
        return NashBargaining(weights, max_norm=self.max_norm, update_every=self.update_every)
