"""Gradient diagnostics: whether tasks pull the shared layers the same way."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor


class GradientDiagnostics:
    """Means over an epoch of each task's gradient norm and each pair's cosine.

    A negative cosine says that two tasks are in conflict on the shared layers (Yu et al. 2020,
    https://arxiv.org/abs/2001.06782).
    """

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, gradients: Tensor, tasks: Sequence[str]) -> None:
        """Takes the gradients of a step in, (tasks, shared parameters).

        One in which fp16 overflows says nothing and is left out.
        """
        if not gradients.isfinite().all():
            return
        norms = gradients.norm(dim=1)
        for task, norm in zip(tasks, norms.tolist(), strict=True):
            self._note(f"norm/{task}", norm)
        units = gradients / norms.clamp(min=torch.finfo(gradients.dtype).tiny).unsqueeze(1)
        cosines = units @ units.T
        for (row, first), (column, second) in combinations(enumerate(tasks), 2):
            self._note(f"cosine/{first}/{second}", float(cosines[row, column]))

    def means(self) -> dict[str, float]:
        """Returns "norm/<task>" and "cosine/<task>/<task>" -> mean over the steps looked at."""
        return {name: sum(found) / len(found) for name, found in self._values.items()}

    def _note(self, name: str, value: float) -> None:
        self._values.setdefault(name, []).append(value)
