"""How the gradients of tasks become one: by factors that a solver finds, or by signs."""

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtl_core.weighting.base import GradientWeighting, Weights

if TYPE_CHECKING:
    from torchjd.aggregation import GradVacWeighting, Weighting
    from torchjd.linalg import PSDMatrix

_PIECE = 2**16
"""Numbers of each gradient that GradDrop works on at a time."""

_NEWTON_STEPS, _SOLVED = 200, 1e-9
"""Steps after which a bargain is given up, and the decrement, a relative error, that ends it."""


class _Aggregator(GradientWeighting):
    """Base: counts steps, remembers the last factors, passes lone tasks through.

    Where a method has no answer (a task's gradient is zero, two are the same) the step takes the
    mean of the gradients.
    """

    def __init__(self, weights: Weights, *, seed: int = 0) -> None:
        super().__init__()
        self._weights = dict(weights)
        self._factors = dict(weights)
        self._positions = {task: number for number, task in enumerate(weights)}
        self._seed = seed
        self._step = 0

    def begin_step(self) -> None:
        """Counts the step."""
        self._step += 1

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its gradient at the last step that it was in."""
        return dict(self._factors)

    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update; see `GradientWeighting.forward`."""
        alphas = self._alphas(gradients, tasks)
        for task, alpha in zip(tasks, alphas.tolist(), strict=True):
            self._factors[task] = self._weights[task] * alpha
        return alphas @ gradients

    def _alphas(self, gradients: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the factor of each row, (tasks,)."""
        mean = gradients.new_full((len(tasks),), 1 / len(tasks))
        if len(tasks) == 1:
            return mean
        gramian = gradients @ gradients.T
        if not gramian.isfinite().all():
            return mean
        devices = [gradients.device] if gradients.device.type == "cuda" else []
        # Every worker draws the same, and a run that goes on draws what it would have drawn.
        with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
            torch.manual_seed(self._draw())
            # The solvers say that they are not sure; what they found is checked here.
            warnings.simplefilter("ignore")
            try:
                found = self._solve(gradients, gramian, tasks)
            except (ArithmeticError, RuntimeError, ValueError):
                return mean
        return found if found.isfinite().all() else mean

    def _solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        raise NotImplementedError

    def get_extra_state(self) -> dict[str, Any]:
        """Returns what parameters and buffers do not hold."""
        return {"step": self._step, "factors": dict(self._factors)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        self._step = state["step"]
        self._factors = dict(state["factors"])

    def _draw(self) -> int:
        """Returns the seed of the step."""
        return (self._seed << 32) + self._step

    def _indices(self, tasks: Sequence[str]) -> Tensor:
        return torch.tensor([self._positions[task] for task in tasks])


class GramianWeighting(_Aggregator):
    """A method that needs no more than the tasks' inner products."""

    def __init__(
        self,
        weights: Weights,
        solver: "Weighting[PSDMatrix]",
        *,
        seed: int,
        degree: float = 0.0,
    ) -> None:
        """Makes one.

        Args:
            weights: Task name -> factor of its gradient.
            solver: Finds the factors.
            seed: Of what the solver draws.
            degree: Of inner products c times as large the factors are c**degree times as large.
        """
        super().__init__(weights, seed=seed)
        self._solver = solver
        self._degree = degree

    def _solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        found: Tensor = self._solver(_scaled(gramian))
        return (found * gramian.double().trace() ** self._degree).to(gradients)


class RunningCosines(_Aggregator):
    """GradVac; a pair's running cosine stays as it is while one of the two is absent."""

    def __init__(self, weights: Weights, solver: "GradVacWeighting", *, seed: int) -> None:
        super().__init__(weights, seed=seed)
        self._solver = solver
        self.register_buffer("cosines", torch.zeros(len(weights), len(weights)))

    def _solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        cosines = self.get_buffer("cosines")
        rows = self._indices(tasks).to(cosines.device)
        cells = (rows.unsqueeze(1), rows)
        # Torchjd keeps one matrix for one set of tasks; here it is that of the tasks present.
        seen = self._solver._phi_t = cosines[cells].cpu()  # type: ignore[assignment]
        self._solver._state_key = (len(tasks), gramian.dtype)
        found: Tensor = self._solver(_scaled(gramian).to(gramian))
        cosines[cells] = seen.to(cosines)
        self._solver.reset()
        return found.to(gradients)


class NashBargaining(_Aggregator):
    """Nash-MTL; between bargains every task keeps its weight."""

    def __init__(self, weights: Weights, *, max_norm: float, update_every: int) -> None:
        super().__init__(weights)
        self._max_norm = max_norm
        self._update_every = update_every
        self._num_steps: dict[str, int] = {}
        self.register_buffer("alphas", torch.ones(len(weights), dtype=torch.float64))

    def _solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        alphas = self.get_buffer("alphas")
        rows = self._indices(tasks).to(alphas.device)
        # Counted for each set of tasks: those of another data set have steps of their own.
        together = ",".join(tasks)
        step = self._num_steps[together] = self._num_steps.get(together, 0) + 1
        if (step - 1) % self._update_every == 0:
            size = gramian.double().trace().sqrt()
            alphas[rows] = (bargain(_scaled(gramian)) / size).to(alphas)
        found = alphas[rows].to(gradients)
        if not found.isfinite().all():
            found = torch.full_like(found, 1 / len(tasks))
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
    weights = products.diagonal().rsqrt()
    for _ in range(_NEWTON_STEPS):
        slope = products @ weights - 1 / weights
        step = torch.linalg.solve_ex(products + torch.diag(weights**-2), slope).result
        decrement = float((slope @ step).sqrt())
        if decrement < _SOLVED:
            return weights
        if not math.isfinite(decrement):  # Rounded, the products may be those of no gradients.
            break
        weights = weights - step / (1 + decrement)
    return torch.full_like(weights, math.nan)


def _scaled(gramian: Tensor) -> Tensor:
    """Returns inner products, double, as of gradients whose squared norms add up to 1.

    All methods are solved there: torchjd takes small gradients for none at all.
    """
    products = gramian.double()
    return products / products.trace()


class SignDropping(_Aggregator):
    """GradDrop: it works number by number, so there are no factors to report."""

    def __init__(self, weights: Weights, *, seed: int) -> None:
        from torchjd.aggregation import GradDrop as TorchjdGradDrop

        super().__init__(weights, seed=seed)
        self._drop = TorchjdGradDrop()

    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update; see `GradientWeighting.forward`."""
        devices = [gradients.device] if gradients.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self._draw())
            # Where all tasks have 0 the share of a sign is 0 / 0, and the update is 0. Pieces stay
            # in the processor's cache.
            pieces = [self._drop(piece) for piece in torch.split(gradients, _PIECE, dim=1)]
        return torch.cat(pieces) if len(tasks) > 1 else gradients[0].clone()
