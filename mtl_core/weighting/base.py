"""What every weighting offers: how the task losses of a step become one update."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

Weights = Mapping[str, float]
"""Task name -> `tasks.<name>.weight`."""


class Weighting(nn.Module, ABC):
    """How the task losses of a step become one update.

    All state that an exact resume needs is in `state_dict()`. Tasks that are absent from a step
    (without labels in it, or of weight 0) are passed over.
    """

    def begin_step(self) -> None:
        """Called once before every step, on every worker alike."""

    def after_epoch(self, losses: Mapping[str, float]) -> None:
        """Told the mean loss of every task that trained in the epoch."""

    @abstractmethod
    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss at the last step."""


class LossWeighting(Weighting):
    """Turns losses into one objective; the factor of each task's gradient is its derivative.

    Attributes:
        compares_losses: Whether the factors hang on the values of this step's losses. When they
            do not, the objective is called before the forward pass with any values to get them,
            and again with the losses for the gradients of its own parameters.
        is_constant: Whether the factors are those of `current_weights` in every step.
        wants_losses_after_step: Whether `after_step` is to be called.
    """

    compares_losses: ClassVar[bool] = False
    is_constant: ClassVar[bool] = False
    wants_losses_after_step: ClassVar[bool] = False

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective of the step, a scalar.

        Args:
            losses: Task name -> mean loss of the step, over all workers and parts.
        """

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Told the losses of the same step after the update."""


class GradientWeighting(Weighting):
    """Combines the gradients of the tasks on the parameters that they share.

    In fp16 too they come as they are, the loss scale taken out; of a step in which one overflows
    the weighting is told nothing.
    """

    @abstractmethod
    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update, (parameters,).

        Args:
            gradients: Gradient of each task's weighted mean loss, (tasks, parameters).
            losses: The weighted mean losses, (tasks,).
            tasks: Names of the tasks in the step, in the order of the rows.
        """
