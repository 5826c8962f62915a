"""How the gradients of tasks become one: by factors that a solver of torchjd finds, or by signs."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtl_core.weighting.base import GradientWeighting, Weights

if TYPE_CHECKING:
    from torchjd.aggregation import GradVacWeighting, NashMTL, Weighting
    from torchjd.linalg import PSDMatrix

_PIECE = 2**16
"""Numbers of each gradient that GradDrop works on at a time."""


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
        hangs_on_scale: bool = False,
    ) -> None:
        super().__init__(weights, seed=seed)
        self._solver = solver
        self._hangs_on_scale = hangs_on_scale

    def _solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        if not self._hangs_on_scale:
            gramian = _scaled(gramian)
        found: Tensor = self._solver(gramian)
        return found.to(gradients)


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
    """Nash-MTL; every task starts from its own weight at the last step that it was in."""

    def __init__(self, weights: Weights, *, max_norm: float, update_every: int) -> None:
        super().__init__(weights)
        self._max_norm = max_norm
        self._update_every = update_every
        self._solvers: dict[int, NashMTL] = {}
        self._num_steps: dict[str, int] = {}
        self.register_buffer("alphas", torch.ones(len(weights), dtype=torch.float64))

    def _solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        alphas = self.get_buffer("alphas")
        rows = self._indices(tasks).to(alphas.device)
        # Counted for each set of tasks: those of another data set have steps of their own.
        together = ",".join(tasks)
        step = self._num_steps[together] = self._num_steps.get(together, 0) + 1
        if (step - 1) % self._update_every == 0:
            solver = self._solver(len(tasks))
            solver.prvs_alpha = alphas[rows].cpu().numpy()
            solver(gradients)
            alphas[rows] = torch.as_tensor(solver.prvs_alpha).to(alphas)
        found = alphas[rows].to(gradients)
        norm = (found @ gramian @ found).clamp(min=0).sqrt()
        return found * (self._max_norm / norm).clamp(max=1)

    def get_extra_state(self) -> dict[str, Any]:
        """Returns what parameters and buffers do not hold."""
        return super().get_extra_state() | {"num_steps": dict(self._num_steps)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        super().set_extra_state(state)
        self._num_steps = dict(state["num_steps"])

    def _solver(self, count: int) -> Any:
        # Its problem is written for a number of tasks, and compiled once.
        if count not in self._solvers:
            from torchjd.aggregation import NashMTL

            self._solvers[count] = NashMTL(count, max_norm=0)
        return self._solvers[count].weighting


def _scaled(gramian: Tensor) -> Tensor:
    """Returns inner products, double, as of gradients whose squared norms add up to 1.

    Methods whose factors are the same at any scale are solved there: torchjd takes small gradients
    for none at all.
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
