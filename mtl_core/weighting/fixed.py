"""Fixed weights: the sum of the losses, each times the weight of its task."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ScaledLosses


class FixedSection(Section):
    """The sum of the losses, each times `tasks.<name>.weight`."""

    kind: Literal["fixed"] = "fixed"

    def build(self, weights: Weights, *, seed: int) -> "Fixed":
        """Builds the weighting."""
        return Fixed(weights)


class Fixed(ScaledLosses):
    """Adds the weighted losses."""

    # Then a step needs no derivative of the objective to know the factors.
    is_constant: ClassVar = True

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum."""
        return torch.stack(list(self.scaled(losses).values())).sum()
