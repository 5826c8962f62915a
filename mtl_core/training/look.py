"""A look at how the tasks pull on what they share: their gradients, and what each does to each."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtl_core.training.diagnostics import Look
from mtl_core.training.forward import MicroBatch, same_random_numbers
from mtl_core.training.gradients import split_like
from mtl_core.training.row_adamw import RowAdamW
from mtl_core.training.task_gradients import TaskGradients


class TaskLook:
    """Looks at the tasks before a step; weights, gradients and random numbers stay as they are.

    The affinity of task i to task j is that of TAG (Fifty et al. 2021,
    https://arxiv.org/abs/2109.04617): with the shared parameters s, and s|i after a
    step on the loss of i alone,
        Z_ij = 1 - L_j(s|i) / L_j(s)
    on the same rows, with the same dropout, and with every head as it is. Other than in the paper
    the step is that of AdamW, `RowAdamW.moves`, as it is the one that trains here: one of plain
    gradients moves a pretrained encoder by next to nothing at such rates. It is no larger than what
    the gradient adds to a step with momentum: ten times that on the same few rows harms whatever
    other task there is. Z_ii is there as well: what a task's own step takes off its loss.

    A look takes a forward pass, a backward pass per task, and one more forward pass per task; and
    the memory of the shared parameters once for each task and twice besides.
    """

    def __init__(self, gradients: TaskGradients, optimizer: RowAdamW) -> None:
        """Makes ready for looks at what trains now.

        Args:
            gradients: Computes the gradients of single tasks, and knows the forward pass.
            optimizer: Whose steps are tried.
        """
        self._gradients = gradients
        self._optimizer = optimizer

    def __call__(
        self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]
    ) -> Look | None:
        """Returns what is seen; all workers call this together, after `RowAdamW.begin`.

        None where nothing is to be seen: the tasks share nothing that trains, or fp16 overflows.

        Args:
            micro_batches: This worker's rows of the step.
            counts: Task name -> labels of the whole step, over all workers and micro-batches.
        """
        forward = self._gradients.forward
        shared = list(forward.model.shared_parameters())
        if not shared:
            return None
        gradients, sums = self._gradients.look(micro_batches, counts)
        if not gradients.isfinite().all():
            return None
        before = forward.means(sums, counts)
        after = self._losses_after(gradients, shared, micro_batches, counts)
        affinities = 1 - after / torch.stack(list(before.values()))  # (tasks, tasks)
        return Look(list(before), gradients, affinities)

    @torch.no_grad()
    def _losses_after(
        self,
        gradients: Tensor,
        shared: Sequence[Tensor],
        micro_batches: Sequence[MicroBatch],
        counts: Mapping[str, int],
    ) -> Tensor:
        """Returns the mean loss of each task (column) after a step of each (row)."""
        forward = self._gradients.forward
        kept = [parameter.clone() for parameter in shared]
        losses = []
        try:
            for gradient in gradients:
                moves = self._optimizer.moves(shared, split_like(gradient, shared))
                for parameter, old, move in zip(shared, kept, moves, strict=True):
                    parameter.copy_(old - move)
                # Drawn as before the step: another dropout would be seen as an effect of it.
                with same_random_numbers(forward.place.device):
                    sums = forward.without_gradients(micro_batches)
                losses.append(torch.stack(list(forward.means(sums, counts).values())))
        finally:
            # Copies of the bits, as adding a step again would not give back the same numbers.
            for parameter, old in zip(shared, kept, strict=True):
                parameter.copy_(old)
        return torch.stack(losses)
