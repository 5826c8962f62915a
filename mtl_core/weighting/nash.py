"""Nash-MTL: the update that the tasks would agree on in a Nash bargain."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import SolvedWeighting, scaled

_NEWTON_STEPS, _SOLVED = 200, 1e-9
"""Steps after which a bargain is given up, and the decrement, a relative error, that ends it."""


class NashSection(Section):
    """The Nash bargaining solution between the tasks.

    Navon et al. 2022, https://arxiv.org/abs/2202.01017.
    """

    kind: Literal["nash"] = "nash"
    max_norm: float = Field(default=1.0, gt=0)
    """Longest update."""
    update_every: int = Field(default=1, ge=1)
    """Steps between bargains; in between the last weights stay."""

    def build(self, weights: Weights, *, seed: int) -> "Nash":
        """Builds the weighting."""
        return Nash(weights, max_norm=self.max_norm, update_every=self.update_every)


class Nash(SolvedWeighting):
    """Nash-MTL; between bargains every task keeps its weight."""

    def __init__(self, weights: Weights, *, max_norm: float, update_every: int) -> None:
        super().__init__(weights)
        self._max_norm = max_norm
        self._update_every = update_every
        self._num_steps: dict[str, int] = {}
        self.register_buffer("alphas", torch.ones(len(weights), dtype=torch.float64))

    def solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the bargain's factors, at most `max_norm` long; see `SolvedWeighting`."""
        alphas = self.get_buffer("alphas")
        rows = self.rows_of(tasks).to(alphas.device)  # (present tasks,)
        # Counted for each set of tasks: those of another data set have steps of their own.
        together = ",".join(tasks)
        step = self._num_steps[together] = self._num_steps.get(together, 0) + 1
        # Found for gradients of size 1; of gradients c times as large, weights are 1 / c as large.
        if (step - 1) % self._update_every == 0:
            size = gramian.double().trace().sqrt()
            alphas[rows] = (bargain(scaled(gramian)) / size).to(alphas)
        found = alphas[rows].to(gradients)
        if not found.isfinite().all():
            # No bargain was found: the mean, as everywhere.
            found = torch.full_like(found, 1 / len(tasks))
        # |sum_i a_i g_i|; rounded, its square may be a little below 0.
        norm = (found @ gramian @ found).clamp(min=0).sqrt()
        return found * (self._max_norm / norm).clamp(max=1)

    def get_extra_state(self) -> dict[str, Any]:
        """Returns what parameters and buffers do not hold."""
        return super().get_extra_state() | {"num_steps": dict(self._num_steps)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        super().set_extra_state(state)
        self._num_steps = dict(state["num_steps"])


def bargain(products: Tensor) -> Tensor:
    """Returns the weights w > 0 with products @ w = 1 / w; NaN where there are none.

    They minimise the convex `w @ products @ w / 2 - log(w).sum()`, and damped Newton steps reach
    that from anywhere (Nesterov and Nemirovskii 1994). The chain of convex problems of the paper,
    which torchjd solves, ends far from it where a gradient became three times as long.

    Args:
        products: Inner products of gradients, (tasks, tasks), double, of about size 1.
    """
    # The solution where all gradients are orthogonal: products_ii w_i = 1 / w_i.
    weights = products.diagonal().rsqrt()
    for _ in range(_NEWTON_STEPS):
        slope = products @ weights - 1 / weights
        # The Hessian is products + diag(1 / w^2). `solve_ex` does not raise where it is singular.
        step = torch.linalg.solve_ex(products + torch.diag(weights**-2), slope).result
        decrement = float((slope @ step).sqrt())
        if decrement < _SOLVED:
            return weights
        if not math.isfinite(decrement):  # Rounded, the products may be those of no gradients.
            break
        # Damped by 1 / (1 + decrement), a step of a self-concordant function keeps all w > 0.
        weights = weights - step / (1 + decrement)
    return torch.full_like(weights, math.nan)
