"""What is seen of the tasks while they train: how they pull on what they share."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of the tasks at one step.

    Attributes:
        tasks: Names of those that have labels there.
        gradients: The gradient of each task's mean loss, (tasks, shared parameters); written over
            by the next look or step.
        affinities: What a step of each task (row) takes off the loss of each task (column), as a
            share of that loss, (tasks, tasks); see `mtl_core.training.look`.
    """

    tasks: Sequence[str]
    gradients: Tensor
    affinities: Tensor


class GradientDiagnostics:
    """Means over the looks of each task's gradient norm, each pair's cosine, and affinities.

    A negative cosine says that two tasks are in conflict on the shared layers (Yu et al. 2020,
    https://arxiv.org/abs/2001.06782). A negative affinity says that a step of the one task makes
    the loss of the other larger (Fifty et al. 2021, https://arxiv.org/abs/2109.04617).
    """

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, look: Look) -> None:
        """Takes in a look."""
        gradients, tasks = look.gradients, look.tasks
        norms = gradients.norm(dim=1)  # (tasks,)
        for task, norm in zip(tasks, norms.tolist(), strict=True):
            self._note(f"norm/{task}", norm)
        # A task without a gradient has the cosine 0 with all others, instead of 0 / 0.
        units = gradients / norms.clamp(min=torch.finfo(gradients.dtype).tiny).unsqueeze(1)
        cosines = units @ units.T  # (tasks, tasks)
        for (row, first), (column, second) in combinations(enumerate(tasks), 2):
            self._note(f"cosine/{first}/{second}", float(cosines[row, column]))
        for first, values in zip(tasks, look.affinities.tolist(), strict=True):
            for second, value in zip(tasks, values, strict=True):
                # Of a loss that is 0 there is no share.
                if math.isfinite(value):
                    self._note(f"affinity/{first}/{second}", value)

    def means(self) -> dict[str, float]:
        """Returns the mean over the looks of what `Report.gradients` names."""
        return {name: sum(found) / len(found) for name, found in self._values.items()}

    def state(self) -> dict[str, list[float]]:
        """Returns what was seen: the same names -> the values of each look."""
        return {name: list(found) for name, found in self._values.items()}

    def load(self, state: Mapping[str, Sequence[float]]) -> None:
        """Goes on from what `state` returned."""
        self._values = {name: list(found) for name, found in state.items()}

    def _note(self, name: str, value: float) -> None:
        self._values.setdefault(name, []).append(value)
