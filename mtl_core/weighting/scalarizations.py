"""How the losses of tasks become one objective."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mtl_core.weighting.base import LossWeighting, Weights

_SMALLEST = 1e-8


class _Scaled(LossWeighting):
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
        return {"factors": dict(self._factors)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        self._factors = dict(state["factors"])


class FixedWeighting(_Scaled):
    """Adds the weighted losses."""

    is_constant: ClassVar = True

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum."""
        return torch.stack(list(self.scaled(losses).values())).sum()


class ElementwiseWeighting(_Scaled):
    """The sum of one learnt scalarisation a task; absent tasks keep theirs as it is."""

    def __init__(self, weights: Weights, scalarizers: Mapping[str, nn.Module]) -> None:
        super().__init__(weights)
        # A name of a task may be one of a module's own methods.
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
            one = torch.ones((), device=next(self.parameters()).device, requires_grad=True)
            [slope] = torch.autograd.grad(self._term(task, one), one)
            weights[task] = weight * float(slope)
        return weights

    def _term(self, task: str, loss: Tensor) -> Tensor:
        term: Tensor = self.scalarizers[self._keys[task]](loss)
        return term


class DwaWeighting(_Scaled):
    """Weights from the mean losses of the last two epochs; they add up to the number of tasks."""

    def __init__(self, weights: Weights, temperature: float) -> None:
        super().__init__(weights)
        self._temperature = temperature
        self._history: list[dict[str, float]] = []

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum."""
        return torch.stack([self._factors[task] * loss for task, loss in losses.items()]).sum()

    def after_epoch(self, losses: Mapping[str, float]) -> None:
        """Sets the weights of the next epoch; those of tasks seen once only stay as they are."""
        self._history = [*self._history, dict(losses)][-2:]
        if len(self._history) < 2:
            return
        older, newer = self._history
        tasks = [task for task in newer if older.get(task, 0.0) > 0]
        ratios = [newer[task] / older[task] / self._temperature for task in tasks]
        scores = [math.exp(ratio - max(ratios)) for ratio in ratios]
        for task, score in zip(tasks, scores, strict=True):
            self._factors[task] = self._weights[task] * len(tasks) * score / sum(scores)

    def get_extra_state(self) -> dict[str, Any]:
        """Returns the history and the factors."""
        return super().get_extra_state() | {"history": [dict(one) for one in self._history]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        super().set_extra_state(state)
        self._history = [dict(one) for one in state["history"]]


class RandomWeighting(_Scaled):
    """Draws a number for every task in every step; present tasks share a weight of 1."""

    def __init__(self, weights: Weights, seed: int) -> None:
        super().__init__(weights)
        self._generator = torch.Generator().manual_seed(seed)
        self._drawn: dict[str, float] = dict.fromkeys(weights, 0.0)

    def begin_step(self) -> None:
        """Draws the numbers of the step, alike on every worker."""
        drawn = torch.randn(len(self._weights), generator=self._generator)
        self._drawn = dict(zip(self._weights, drawn.tolist(), strict=True))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum."""
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
        self._generator.set_state(state["generator"].cpu())


class ComparingWeighting(_Scaled):
    """A scalarisation without state over the losses of the tasks that are present."""

    compares_losses: ClassVar[bool] = True

    def __init__(self, weights: Weights, scalarizer: nn.Module) -> None:
        super().__init__(weights)
        self._scalarize = scalarizer

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective."""
        values = torch.stack(list(self.scaled(losses).values()))
        if values.requires_grad:
            leaf = values.detach().requires_grad_()
            [slopes] = torch.autograd.grad(self._scalarize(leaf), leaf)
            for task, slope in zip(losses, slopes.tolist(), strict=True):
                self._factors[task] = self._weights[task] * slope
        objective: Tensor = self._scalarize(values)
        return objective


class FamoWeighting(_Scaled):
    """FAMO by torchjd; an absent task is taken as one whose loss did not change."""

    compares_losses: ClassVar[bool] = True
    wants_losses_after_step: ClassVar[bool] = True

    def __init__(self, weights: Weights, *, lr: float, weight_decay: float) -> None:
        from torchjd.scalarization import FAMO

        super().__init__(weights)
        trained = [task for task, weight in weights.items() if weight > 0]
        self._position = {task: number for number, task in enumerate(trained)}
        self.famo = FAMO(len(trained), lr=lr, weight_decay=weight_decay)
        # Torchjd moves the logits itself; the run's optimiser must leave them alone.
        self.famo.requires_grad_(False)
        self.register_buffer("last", torch.ones(len(trained)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective, from the last known losses of absent tasks."""
        values = self._all_values(losses)
        self.get_buffer("last").copy_(values.detach())
        objective: Tensor = self.famo(values)
        if values.requires_grad:
            [slopes] = torch.autograd.grad(objective, values, retain_graph=True)
            for task in losses:
                self._factors[task] = self._weights[task] * float(slopes[self._position[task]])
        return objective

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Moves the weights by how far each loss fell."""
        self.famo.requires_grad_(True)
        self.famo.update(self._all_values(losses))
        self.famo.requires_grad_(False)

    def _all_values(self, losses: Mapping[str, Tensor]) -> Tensor:
        scaled, last = self.scaled(losses), self.get_buffer("last").clone()
        return torch.stack([scaled.get(task, last[n]) for task, n in self._position.items()])

    def get_extra_state(self) -> dict[str, Any]:
        """Returns the state of the inner optimiser and the factors."""
        inner = self.famo._optimizer
        return super().get_extra_state() | {"adam": None if inner is None else inner.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        super().set_extra_state(state)
        if state["adam"] is not None:
            famo = self.famo
            famo._optimizer = torch.optim.Adam(
                [famo._w], lr=famo.lr, weight_decay=famo.weight_decay
            )
            famo._optimizer.load_state_dict(state["adam"])


class Positive(nn.Module):
    """Gives a scalarisation that takes logarithms no loss of 0, which a batch may well have."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, losses: Tensor) -> Tensor:
        """Returns the objective of losses, (tasks,)."""
        objective: Tensor = self.inner(losses.clamp(min=_SMALLEST))
        return objective
