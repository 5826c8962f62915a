"""The sections of weightings that work on losses, by torchjd where it has them."""

from typing import Literal

from pydantic import Field

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.scalarizations import (
    ComparingWeighting,
    DwaWeighting,
    ElementwiseWeighting,
    FamoWeighting,
    FixedWeighting,
    Positive,
    RandomWeighting,
)


class Fixed(Section):
    """The sum of the losses, each times `tasks.<name>.weight`."""

    kind: Literal["fixed"] = "fixed"

    def build(self, weights: Weights, *, seed: int) -> FixedWeighting:
        """Builds the weighting."""
        return FixedWeighting(weights)


class Uncertainty(Section):
    """Weights learnt as homoscedastic uncertainty; `tasks.<name>.weight` scales the loss first.

    Kendall, Gal and Cipolla 2018, https://arxiv.org/abs/1705.07115.
    """

    kind: Literal["uncertainty"] = "uncertainty"

    def build(self, weights: Weights, *, seed: int) -> ElementwiseWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import UW

        return ElementwiseWeighting(weights, {task: UW(()) for task in weights})


class ImtlL(Section):
    """Learnt scales that bring all losses to the same size.

    Liu et al. 2021, https://openreview.net/forum?id=IMPnRXEWpvr, the loss balance of IMTL.
    """

    kind: Literal["imtl_l"] = "imtl_l"

    def build(self, weights: Weights, *, seed: int) -> ElementwiseWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import IMTLL

        return ElementwiseWeighting(weights, {task: IMTLL(()) for task in weights})


class Dwa(Section):
    """Dynamic weight average: more for tasks whose loss falls more slowly.

    Liu, Johns and Davison 2019, https://arxiv.org/abs/1803.10704, equation 7, by epochs.
    """

    kind: Literal["dwa"] = "dwa"
    temperature: float = Field(default=2.0, gt=0)
    """The higher, the more alike the weights."""

    def build(self, weights: Weights, *, seed: int) -> DwaWeighting:
        """Builds the weighting."""
        return DwaWeighting(weights, self.temperature)


class Random(Section):
    """Weights drawn anew in every step: a softmax of normal numbers, summing to 1.

    Lin et al. 2022, https://arxiv.org/abs/2111.10603; a baseline that others should beat.
    """

    kind: Literal["random"] = "random"

    def build(self, weights: Weights, *, seed: int) -> RandomWeighting:
        """Builds the weighting."""
        return RandomWeighting(weights, seed)


class GeometricMeanLoss(Section):
    """The geometric mean of the losses: each task's gradient is divided by its loss.

    Chennupati et al. 2019, https://arxiv.org/abs/1904.08492; scaling a loss changes nothing, so
    `tasks.<name>.weight` only switches tasks off.
    """

    kind: Literal["geometric_mean"] = "geometric_mean"

    def build(self, weights: Weights, *, seed: int) -> ComparingWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import GeometricMean

        return ComparingWeighting(weights, Positive(GeometricMean()))


class Stch(Section):
    """Smooth Tchebycheff: a soft maximum of the losses, the worst task counts most.

    Lin et al. 2024, https://arxiv.org/abs/2402.19078.
    """

    kind: Literal["stch"] = "stch"
    mu: float = Field(default=0.5, gt=0)
    """Smoothness; the smaller, the nearer to the maximum alone."""

    def build(self, weights: Weights, *, seed: int) -> ComparingWeighting:
        """Builds the weighting."""
        from torchjd.scalarization import STCH

        return ComparingWeighting(weights, STCH(self.mu))


class Famo(Section):
    """Weights that make all losses fall at the same rate, from losses alone.

    Liu et al. 2023, https://arxiv.org/abs/2306.03792; costs one more forward pass a step.
    """

    kind: Literal["famo"] = "famo"
    lr: float = Field(default=0.025, gt=0)
    """Learning rate of the weights."""
    weight_decay: float = Field(default=1e-3, ge=0)
    """Pull of the weights towards equality."""

    def build(self, weights: Weights, *, seed: int) -> FamoWeighting:
        """Builds the weighting."""
        return FamoWeighting(weights, lr=self.lr, weight_decay=self.weight_decay)
