"""Dynamic weight average: weights from how fast each loss fell over the last two epochs."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.losses import ScaledLosses


class DwaSection(Section):
    """Dynamic weight average: more for tasks whose loss falls more slowly.

    Liu, Johns and Davison 2019, https://arxiv.org/abs/1803.10704, equation 7; t counts epochs.
    """

    kind: Literal["dwa"] = "dwa"
    temperature: float = Field(default=2.0, gt=0)
    """The higher, the more alike the weights."""

    def build(self, weights: Weights, *, seed: int) -> "Dwa":
        """Builds the weighting."""
        return Dwa(weights, self.temperature)


class Dwa(ScaledLosses):
    """Weights from the mean losses of the last two epochs; they add up to the number of tasks."""

    def __init__(self, weights: Weights, temperature: float) -> None:
        super().__init__(weights)
        self._temperature = temperature
        self._history: list[dict[str, float]] = []

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the weighted sum."""
        return torch.stack([self._factors[task] * loss for task, loss in losses.items()]).sum()

    def after_epoch(self, losses: Mapping[str, float]) -> None:
        """Sets the weights of the next epoch; a task without two epochs keeps its weight."""
        # Two epochs are all that equation 7 looks at; older ones would only grow the checkpoint.
        self._history = [*self._history, dict(losses)][-2:]
        if len(self._history) < 2:
            return
        # w_k(t) = K exp(w~_k / T) / sum_i exp(w~_i / T) with w~_k = L_k(t - 1) / L_k(t - 2).
        older, newer = self._history
        # A loss of 0 has no ratio; its task keeps the weight it has, and K leaves it out.
        tasks = [task for task in newer if older.get(task, 0.0) > 0]
        ratios = [newer[task] / older[task] / self._temperature for task in tasks]
        # The largest ratio is subtracted, which cancels in the quotient: `exp` cannot overflow.
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
