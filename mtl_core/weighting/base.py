"""The contract of all weightings: how the task losses of a step become one update."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

Weights = Mapping[str, float]
"""Task name -> `tasks.<name>.weight`."""


class Weighting(nn.Module, ABC):
    """How the task losses of a step become one update.

    The order of calls: in every step `begin_step`, then `forward` where the step needs it; after
    every epoch `after_epoch`, then `current_weights` for the report. All state that an exact resume
    needs is in `state_dict()`. Tasks that are absent from a step (without labels in it, or of
    weight 0) are passed over.
    """

    def begin_step(self) -> None:
        """Called once before every step, on every worker alike."""

    def after_epoch(self, losses: Mapping[str, float]) -> None:
        """Takes the mean loss of every task that trained in the epoch."""

    @abstractmethod
    def current_weights(self) -> dict[str, float]:
        """Returns task name -> factor of its loss at the last step."""


class LossWeighting(Weighting):
    """Turns losses into one objective; the factor of each task's gradient is its derivative.

    Attributes:
        compares_losses: Whether the factors depend on the values of this step's losses. When they
            do not, `forward` is called before the model runs, with losses of 1, to get the factors,
            and afterwards with the losses, for the gradients of the weighting's own parameters.
        is_constant: Whether the factors are those of `current_weights` in every step.
        wants_losses_after_step: Whether `after_step` is called; it costs a forward pass per step.
    """

    compares_losses: ClassVar[bool] = False
    is_constant: ClassVar[bool] = False
    wants_losses_after_step: ClassVar[bool] = False

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the objective of the step, a scalar.

        Args:
            losses: Task name -> mean loss of the step, over all workers and micro-batches.
        """

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Takes the losses of the same rows after the update."""


class GradientWeighting(Weighting):
    """Combines the gradients of the tasks on the parameters that they share.

    In fp16 the gradients come with the loss scale divided out; a step in which one of them
    overflows does not call `forward`, so that no state is spoilt.
    """

    @abstractmethod
    def forward(self, gradients: Tensor, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Returns the gradient of the update, (parameters,).

        Args:
            gradients: Gradient of each task's weighted mean loss, (tasks, parameters), fp32; the
                memory is written over in the next step.
            losses: The weighted mean losses, (tasks,).
            tasks: Names of the tasks in the step, in the order of the rows.
        """
