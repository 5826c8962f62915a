"""Bases of gradient weightings: seeded draws, and factors that a solver finds.

Heads get the gradient of their own task, times `tasks.<name>.weight`; only the parameters in
front of all heads get the combined gradient.
"""

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtl_core.weighting.base import GradientWeighting, Weights

if TYPE_CHECKING:
    from torchjd.aggregation import Weighting
    from torchjd.linalg import PSDMatrix


class DrawingWeighting(GradientWeighting):
    """Base: counts the steps, which seed what is drawn in them, and remembers the last factors."""

    def __init__(self, weights: Weights, *, seed: int = 0) -> None:
        super().__init__()
        self.task_weights = dict(weights)
        self.factors = dict(weights)
        self._seed = seed
        self._step = 0

    def begin_step(self) -> None:
        """Counts the step."""
        self._step += 1

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its gradient at the last step that it was in."""
        return dict(self.factors)

    def draw_seed(self) -> int:
        """Returns the seed of the step: the same on every worker and in a run that goes on."""
        # Runs of different seeds share none: no run has 2**32 steps.
        return (self._seed << 32) + self._step

    def get_extra_state(self) -> dict[str, Any]:
        """Returns what parameters and buffers do not hold."""
        return {"step": self._step, "factors": dict(self.factors)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_extra_state` returned."""
        self._step = state["step"]
        self.factors = dict(state["factors"])


class SolvedWeighting(DrawingWeighting):
    """Base: each gradient gets a factor that a solver finds; a lone task passes through.

    Where a method has no answer (a task's gradient is zero, two are the same) the step takes the
    mean of the gradients.
    """

    def __init__(self, weights: Weights, *, seed: int = 0) -> None:
        super().__init__(weights, seed=seed)
        self._positions = {task: number for number, task in enumerate(weights)}

    @abstractmethod
    def solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the factor of each gradient, (tasks,).

        Args:
            gradients: Gradient of each task's weighted mean loss, (tasks, parameters).
            gramian: Their inner products, (tasks, tasks), all finite.
            tasks: Names of the tasks in the step, in the order of the rows.
        """

    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update; see `GradientWeighting.forward`."""
        alphas = self._alphas(gradients, tasks)
        for task, alpha in zip(tasks, alphas.tolist(), strict=True):
            self.factors[task] = self.task_weights[task] * alpha
        return alphas @ gradients  # (tasks,) @ (tasks, parameters) -> (parameters,)

    def rows_of(self, tasks: Sequence[str]) -> Tensor:
        """Returns the numbers of tasks among all tasks, (tasks,), int64."""
        return torch.tensor([self._positions[task] for task in tasks])

    def _alphas(self, gradients: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the factor of each row, (tasks,)."""
        mean = gradients.new_full((len(tasks),), 1 / len(tasks))  # (tasks,)
        if len(tasks) == 1:
            return mean
        # (tasks, parameters) -> (tasks, tasks): all that solvers see, however large the model is.
        gramian = gradients @ gradients.T
        # Squares overflow where the gradients themselves are still finite.
        if not gramian.isfinite().all():
            return mean
        devices = [gradients.device] if gradients.device.type == "cuda" else []
        # Every worker draws the same, and a run that goes on draws what it would have drawn.
        with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
            torch.manual_seed(self.draw_seed())
            # Solvers warn where they are not sure of their answer; it is checked below.
            warnings.simplefilter("ignore")
            try:
                found = self.solve(gradients, gramian, tasks)
            except (ArithmeticError, RuntimeError, ValueError):
                return mean
        return found if found.isfinite().all() else mean


class GramianWeighting(SolvedWeighting):
    """A method that needs no more than the tasks' inner products."""

    def __init__(
        self,
        weights: Weights,
        solver: "Weighting[PSDMatrix]",
        *,
        seed: int,
        degree: float = 0.0,
    ) -> None:
        """Makes a weighting around a solver of torchjd.

        Args:
            weights: Task name -> factor of its gradient.
            solver: Finds the factors.
            seed: Seed of what the solver draws.
            degree: Of inner products c times as large, the factors are c**degree times as large.
        """
        super().__init__(weights, seed=seed)
        self._solver = solver
        self._degree = degree

    def solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns what the solver finds; see `SolvedWeighting.solve`."""
        found: Tensor = self._solver(scaled(gramian))
        # Solved for products divided by their trace c; the factors of the true ones are c**degree
        # times as large.
        return (found * gramian.double().trace() ** self._degree).to(gradients)


def scaled(gramian: Tensor) -> Tensor:
    """Returns inner products, double, as of gradients whose squared norms add up to 1.

    All methods are solved at this size: torchjd compares with fixed thresholds, below which it
    takes small gradients for zero.
    """
    # Double, so that solvers add next to nothing to the rounding of the fp32 products.
    products = gramian.double()
    return products / products.trace()
