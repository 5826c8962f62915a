"""GradDrop: keeps in each coordinate the gradients of one sign, drawn at random."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import DrawingWeighting

_PIECE = 2**16
"""Coordinates of the gradients that GradDrop works on at a time."""


class GradDropSection(Section):
    """Keeps in each coordinate the gradients of one sign, drawn by how far that sign prevails.

    Chen et al. 2020, https://arxiv.org/abs/2010.06808.
    """

    kind: Literal["graddrop"] = "graddrop"

    def build(self, weights: Weights, *, seed: int) -> "GradDrop":
        """Builds the weighting."""
        return GradDrop(weights, seed=seed)


class GradDrop(DrawingWeighting):
    """GradDrop; it decides coordinate by coordinate, so there are no factors to report."""

    def __init__(self, weights: Weights, *, seed: int) -> None:
        from torchjd.aggregation import GradDrop as TorchjdGradDrop

        super().__init__(weights, seed=seed)
        self._drop = TorchjdGradDrop()

    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update; see `GradientWeighting.forward`."""
        devices = [gradients.device] if gradients.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.draw_seed())
            # P = (1 + sum_i g_i / sum_i |g_i|) / 2 per coordinate; positive signs stay where P > U,
            # U being uniform. Where all tasks have 0, P is 0 / 0 and the update is 0, as NaN
            # compares false. Torchjd copies its input several times; pieces stay in the cache.
            pieces = [self._drop(piece) for piece in torch.split(gradients, _PIECE, dim=1)]
        # A lone task passes through, as a copy: the rows are memory that the next step fills anew.
        return torch.cat(pieces) if len(tasks) > 1 else gradients[0].clone()
