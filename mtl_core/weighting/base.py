"""What every weighting of the task losses offers; one file a kind beside this one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn


class Weighting(nn.Module, ABC):
    """Turns the losses of the tasks in a batch into the loss to minimise."""

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns a scalar; tasks without labels in the batch are absent from `losses`."""

    @abstractmethod
    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss now."""
