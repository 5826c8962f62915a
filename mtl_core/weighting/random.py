"""Random weights, drawn anew in every step: the baseline that others should beat."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ScaledLosses


class RandomSection(Section):
    """Weights drawn anew in every step: a softmax of normal numbers, summing to 1.

    Lin et al. 2022, https://arxiv.org/abs/2111.10603; a baseline that others should beat.
    """

    kind: Literal["random"] = "random"

    def build(self, weights: Weights, *, seed: int) -> "Random":
        """Builds the weighting."""
        return Random(weights, seed)


class Random(ScaledLosses):
    """Draws a number for every task in every step; the weights of present tasks sum to 1."""

    def __init__(self, weights: Weights, seed: int) -> None:
        super().__init__(weights)
        self._generator = torch.Generator().manual_seed(seed)
        self._drawn: dict[str, float] = dict.fromkeys(weights, 0.0)

    def begin_step(self) -> None:
        """Draws the numbers of the step, alike on every worker."""
        # For all tasks: which of them the step has is known in `forward` only.
        drawn = torch.randn(len(self._weights), generator=self._generator)
        self._drawn = dict(zip(self._weights, drawn.tolist(), strict=True))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum."""
        # Over the present tasks alone, so that what an absent one drew takes no share.
        shares = torch.softmax(torch.tensor([self._drawn[task] for task in losses]), dim=0)
        for task, share in zip(losses, shares.tolist(), strict=True):
            self._factors[task] = self._weights[task] * share
        return torch.stack([self._factors[task] * loss for task, loss in losses.items()]).sum()

    def get_extra_state(self) -> dict[str, Any]:
        """Returns the state of the generator and the factors."""
        return super().get_extra_state() | {"generator": self._generator.get_state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        super().set_extra_state(state)
        # A generator of the CPU takes its state from there alone.
        self._generator.set_state(state["generator"].cpu())
