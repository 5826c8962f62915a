"""Gradient diagnostics: whether tasks pull the shared layers the same way."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor


class GradientDiagnostics:
    """Means of each task's gradient norm and of each pair's cosine, over the steps looked at.

    A negative cosine says that two tasks are in conflict on the shared layers (Yu et al. 2020,
    https://arxiv.org/abs/2001.06782).
    """

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, gradients: Tensor, tasks: Sequence[str]) -> None:
        """Takes in the gradients of a step, (tasks, shared parameters).

        A step in which fp16 overflows says nothing and is left out.
        """
        if not gradients.isfinite().all():
            return
        norms = gradients.norm(dim=1)  # (tasks,)
        for task, norm in zip(tasks, norms.tolist(), strict=True):
            self._note(f"norm/{task}", norm)
        # A task without a gradient has the cosine 0 with all others, instead of 0 / 0.
        units = gradients / norms.clamp(min=torch.finfo(gradients.dtype).tiny).unsqueeze(1)
        cosines = units @ units.T  # (tasks, tasks)
        for (row, first), (column, second) in combinations(enumerate(tasks), 2):
            self._note(f"cosine/{first}/{second}", float(cosines[row, column]))

    def means(self) -> dict[str, float]:
        """Returns "norm/<task>" and "cosine/<task>/<task>" -> mean over the steps looked at."""
        return {name: sum(found) / len(found) for name, found in self._values.items()}

    def state(self) -> dict[str, list[float]]:
        """Returns what was seen: the same names -> the values of each look."""
        return {name: list(found) for name, found in self._values.items()}

    def load(self, state: Mapping[str, Sequence[float]]) -> None:
        """Goes on from what `state` returned."""
        self._values = {name: list(found) for name, found in state.items()}

    def _note(self, name: str, value: float) -> None:
        self._values.setdefault(name, []).append(value)
