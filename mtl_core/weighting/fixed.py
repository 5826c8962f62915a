"""Fixed weighting: the losses are multiplied by `tasks.<name>.weight` and added."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from mtl_core.section import Section
from mtl_core.weighting.base import Weighting


class Fixed(Section):
    """The weighted sum of the task losses, with weights from `tasks.<name>.weight`."""

    kind: Literal["fixed"] = "fixed"

    def build(self, weights: Mapping[str, float]) -> "FixedWeighting":
        """Builds the weighting for task name -> weight."""
        return FixedWeighting(weights)


class FixedWeighting(Weighting):
    """Adds the weighted losses."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self._weights = dict(weights)

    def forward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> Tensor:
        """Returns the loss to minimise, a scalar, from the losses of the tasks in the batch."""
        terms = [self._weights[task] * loss for task, loss in losses.items()]
        return sum(terms[1:], start=terms[0])

    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss now."""
        return dict(self._weights)
