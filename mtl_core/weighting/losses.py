"""Bases of loss weightings: weighted losses, learnt scales, comparing scalarisations."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mtl_core.weighting.base import LossWeighting, Weights


class ScaledLosses(LossWeighting):
    """Base: multiplies losses by the weights of their tasks and remembers the last factors."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self._weights = dict(weights)
        self._factors = dict(weights)

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss at the last step."""
        return dict(self._factors)

    def scaled(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns task name -> weighted loss."""
        return {task: self._weights[task] * loss for task, loss in losses.items()}

    def get_extra_state(self) -> dict[str, Any]:
        """Returns what parameters and buffers do not hold."""
        return {"factors": dict(self._factors), "weights": dict(self._weights)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        # Where the weights of the tasks have changed since, the factors change with them. Old
        # checkpoints have no weights; in those they have not changed.
        before = state.get("weights", self._weights)
        self._factors = {
            task: factor * self._weights[task] / before[task]
            if before[task] and before[task] != self._weights[task]
            else factor
            for task, factor in state["factors"].items()
        }


class ElementwiseWeighting(ScaledLosses):
    """The sum of one learnt scalarisation per task; absent tasks keep theirs as it is."""

    def __init__(self, weights: Weights, scalarizers: Mapping[str, nn.Module]) -> None:
        super().__init__(weights)
        # A ModuleDict refuses names of its own methods, such as "keys", which a task may have.
        self._keys = {task: f"task_{task}" for task in weights}
        self.scalarizers = nn.ModuleDict({self._keys[t]: s for t, s in scalarizers.items()})

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective; the factors are the derivatives of its terms."""
        terms = [self._term(task, loss) for task, loss in self.scaled(losses).items()]
        return torch.stack(terms).sum()

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss now."""
        weights = {}
        for task, weight in self._weights.items():
            # The terms are linear in the loss, so the slope is the same at 1 as anywhere.
            one = torch.ones((), device=next(self.parameters()).device, requires_grad=True)
            [slope] = torch.autograd.grad(self._term(task, one), one)
            weights[task] = weight * float(slope)
        return weights

    def _term(self, task: str, loss: Tensor) -> Tensor:
        term: Tensor = self.scalarizers[self._keys[task]](loss)
        return term


class ComparingWeighting(ScaledLosses):
    """A scalarisation without state over the losses of the tasks that are present."""

    compares_losses: ClassVar[bool] = True

    def __init__(self, weights: Weights, scalarizer: nn.Module) -> None:
        super().__init__(weights)
        self._scalarize = scalarizer

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective."""
        values = torch.stack(list(self.scaled(losses).values()))
        if values.requires_grad:
            # On a graph of its own: the caller still goes back through that of the losses.
            leaf = values.detach().requires_grad_()  # (present tasks,)
            [slopes] = torch.autograd.grad(self._scalarize(leaf), leaf)
            for task, slope in zip(losses, slopes.tolist(), strict=True):
                self._factors[task] = self._weights[task] * slope
        objective: Tensor = self._scalarize(values)
        return objective
