"""Aligned-MTL: replaces the task gradients by orthogonal ones of equal length."""

from typing import Literal

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import GramianWeighting


class AlignedMtlSection(Section):
    """Makes the gradients orthogonal and of one length, changing them as little as possible.

    Senushkin et al. 2023, https://arxiv.org/abs/2305.19000.
    """

    kind: Literal["aligned_mtl"] = "aligned_mtl"
    scale: Literal["min", "median", "rmse"] = "min"
    """Which of the singular values becomes the length of all."""

    def build(self, weights: Weights, *, seed: int) -> GramianWeighting:
        """Builds the weighting."""
        from torchjd.aggregation import AlignedMTLWeighting

        # The gradients are the rows of G = U S V^T. It is replaced by s U V^T: all singular values
        # become s. The update is the mean of the new rows.
        return GramianWeighting(weights, AlignedMTLWeighting(scale_mode=self.scale), seed=seed)
