"""GradVac: turns each pair of gradients to the running cosine of the pair."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting._torchjd import give_running_cosines
from mtl_core.weighting.base import Weights
from mtl_core.weighting.gramian import SolvedWeighting, scaled

if TYPE_CHECKING:
    from torchjd.aggregation import GradVacWeighting


class GradVacSection(Section):
    """Turns each pair of gradients to the cosine that the pair has had so far.

    Wang et al. 2021, https://arxiv.org/abs/2010.05874.
    """

    kind: Literal["gradvac"] = "gradvac"
    beta: float = Field(default=0.5, ge=0, le=1)
    """Share of the newest cosine in the running one."""

    def build(self, weights: Weights, *, seed: int) -> "GradVac":
        """Builds the weighting."""
        from torchjd.aggregation import GradVacWeighting

        return GradVac(weights, GradVacWeighting(self.beta), seed=seed)


class GradVac(SolvedWeighting):
    """GradVac; a pair's running cosine stays as it is while one of the two is absent."""

    def __init__(self, weights: Weights, solver: "GradVacWeighting", *, seed: int) -> None:
        super().__init__(weights, seed=seed)
        self._solver = solver
        self.register_buffer("cosines", torch.zeros(len(weights), len(weights)))

    def solve(self, gradients: Tensor, gramian: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns factors after turning, and moves the running cosines; see `SolvedWeighting`."""
        cosines = self.get_buffer("cosines")
        rows = self.rows_of(tasks).to(cosines.device)
        cells = (rows.unsqueeze(1), rows)
        # Torchjd keeps one matrix for one set of tasks; here it is that of the tasks present.
        # A copy, as indexing by tensors makes one; the solver works on the CPU and changes it.
        seen = cosines[cells].cpu()  # (present tasks, present tasks)
        give_running_cosines(self._solver, seen, dtype=gramian.dtype)
        found: Tensor = self._solver(scaled(gramian).to(gramian))
        cosines[cells] = seen.to(cosines)
        self._solver.reset()
        return found.to(gradients)
