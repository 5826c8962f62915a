"""What every weighting of the task losses offers; one file a kind beside this one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn


class Weighting(nn.Module, ABC):
    """Turns the losses of the tasks in a batch into the loss to minimise."""

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor], share: float = 1.0) -> Tensor:
        """Returns a scalar: what this part of a step adds to the loss of the step.

        Args:
            losses: Task name -> loss of this part; the parts of a step, over workers and
                accumulation, add up to its loss. Tasks without labels in the step are absent.
            share: One part in so many, in (0, 1]; terms that hold no loss count by it.
        """

    @abstractmethod
    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss now."""
