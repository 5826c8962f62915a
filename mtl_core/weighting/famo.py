"""FAMO: weights that make all losses fall at the same rate."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting._torchjd import famo_adam, restore_famo_adam
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ScaledLosses


class FamoSection(Section):
    """Weights that make all losses fall at the same rate, from losses alone.

    Liu et al. 2023, https://arxiv.org/abs/2306.03792; costs one more forward pass per step.
    """

    kind: Literal["famo"] = "famo"
    lr: float = Field(default=0.025, gt=0)
    """Learning rate of the weights."""
    weight_decay: float = Field(default=1e-3, ge=0)
    """Pull of the weights towards equality."""

    def build(self, weights: Weights, *, seed: int) -> "Famo":
        """Builds the weighting."""
        return Famo(weights, lr=self.lr, weight_decay=self.weight_decay)


class Famo(ScaledLosses):
    """FAMO by torchjd; an absent task is taken as one whose loss did not change."""

    compares_losses: ClassVar[bool] = True
    wants_losses_after_step: ClassVar[bool] = True

    def __init__(self, weights: Weights, *, lr: float, weight_decay: float) -> None:
        from torchjd.scalarization import FAMO

        super().__init__(weights)
        # A task of weight 0 never has a loss; its logit would hold a share of the weights for good.
        trained = [task for task, weight in weights.items() if weight > 0]
        self._position = {task: number for number, task in enumerate(trained)}
        self.famo = FAMO(len(trained), lr=lr, weight_decay=weight_decay)
        # Torchjd moves the logits itself; the run's optimiser takes all that requires a gradient.
        self.famo.requires_grad_(False)
        self.register_buffer("last", torch.ones(len(trained)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective, from the last known losses of absent tasks."""
        values = self._all_values(losses)
        # What stands for the loss of an absent task, here and in `after_step`: the difference of
        # its logarithms is then 0.
        self.get_buffer("last").copy_(values.detach())
        objective: Tensor = self.famo(values)
        if values.requires_grad:
            # The caller goes back through the same graph, so it has to stay.
            [slopes] = torch.autograd.grad(objective, values, retain_graph=True)
            for task in losses:
                self._factors[task] = self._weights[task] * float(slopes[self._position[task]])
        return objective

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Moves the weights by how far each loss fell."""
        # Torchjd differentiates softmax(w) by the logits w: they need a gradient for this moment.
        self.famo.requires_grad_(True)
        self.famo.update(self._all_values(losses))
        self.famo.requires_grad_(False)

    def _all_values(self, losses: Mapping[str, Tensor]) -> Tensor:
        scaled, last = self.scaled(losses), self.get_buffer("last").clone()
        return torch.stack([scaled.get(task, last[n]) for task, n in self._position.items()])

    def get_extra_state(self) -> dict[str, Any]:
        """Returns the state of the inner optimiser and the factors."""
        return super().get_extra_state() | {"adam": famo_adam(self.famo)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        super().set_extra_state(state)
        if state["adam"] is not None:
            restore_famo_adam(self.famo, state["adam"])
