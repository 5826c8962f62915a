"""The gradients of single tasks: a row per task over the parameters that all tasks share."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtl_core.training.forward import (
    ForwardPass,
    Losses,
    MicroBatch,
    add_losses,
    same_random_numbers,
    with_labels,
)
from mtl_core.training.gradients import accumulate, split_like


class TaskGradients:
    """Computes one backward pass per task, over all workers and micro-batches of a step.

    The matrix that it returns is written over by the next call: large new memory is slow. What is
    kept has to be copied.
    """

    def __init__(self, forward: ForwardPass) -> None:
        self.forward = forward
        self._memory = torch.empty(0, device=forward.place.device)

    def look(
        self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]
    ) -> tuple[Tensor, Losses]:
        """Returns the gradient of every present task's mean loss, and the losses.

        Looking changes nothing: neither gradients nor random numbers.

        Returns:
            (present tasks, shared parameters); and task name -> loss summed over this worker's
            labels.
        """
        ones = dict.fromkeys(counts, 1.0)
        with same_random_numbers(self.forward.place.device):
            return self._gradients(micro_batches, counts, ones, {})

    def fill(
        self,
        micro_batches: Sequence[MicroBatch],
        counts: Mapping[str, int],
        weights: Mapping[str, float],
    ) -> tuple[Tensor, Losses]:
        """Gives the heads their own task's gradient, and returns that of what they share.

        Args:
            micro_batches: This worker's rows of the step.
            counts: Task name -> labels of the whole step.
            weights: Task name -> factor of its loss.

        Returns:
            Gradients of weighted mean losses, (present tasks, shared parameters), the same on all
            workers; and task name -> loss summed over this worker's labels. In fp16 some
            gradients may not be finite.
        """
        heads = {
            name: [p for p in self.forward.model.head(name).parameters() if p.requires_grad]
            for name in with_labels(counts)
        }
        matrix, sums = self._gradients(micro_batches, counts, weights, heads)
        if self.forward.place.world_size > 1:
            for parameter in (p for parameters in heads.values() for p in parameters):
                # A worker without labels of the task has no gradient to add to the others'.
                accumulate([parameter], [torch.zeros_like(parameter)])
                assert parameter.grad is not None
                self.forward.place.sum(parameter.grad)
        return matrix, sums

    def _gradients(
        self,
        micro_batches: Sequence[MicroBatch],
        counts: Mapping[str, int],
        weights: Mapping[str, float],
        heads: Mapping[str, Sequence[Tensor]],
    ) -> tuple[Tensor, Losses]:
        """Returns gradients (present tasks, shared parameters) and this worker's summed losses."""
        present, forward = with_labels(counts), self.forward
        shared = list(forward.model.shared_parameters())
        matrix = self._zeros(len(present), sum(parameter.numel() for parameter in shared))
        sums: Losses = {}
        for micro_batch in micro_batches:
            # One forward pass for all tasks, then a backward pass for each.
            local = forward(micro_batch)
            here = [name for name in micro_batch.tasks if name in present]
            for name in here:
                loss = local[name] * (weights[name] / counts[name] * forward.loss_scale)
                if not loss.requires_grad:  # All that the task meets is frozen.
                    continue
                # The tasks share the encoder's graph: it is freed with the last of them.
                own = heads.get(name, [])
                found = self._backward(loss, [*shared, *own], keeps_graph=name != here[-1])
                # Views: what is added to them stands in the matrix, each parameter in its columns.
                row = split_like(matrix[present.index(name)], shared)
                for total, gradient in zip(row, found[: len(shared)], strict=True):
                    if gradient is not None:
                        total.add_(gradient)
                accumulate(own, found[len(shared) :])
            add_losses(sums, local)
        # Summed, not averaged: losses are divided by the labels of all workers already.
        forward.place.sum(matrix)
        return matrix, sums

    def _backward(
        self, loss: Tensor, parameters: Sequence[Tensor], *, keeps_graph: bool
    ) -> Sequence[Tensor | None]:
        """Returns the gradients of a loss, without the loss scale; None = it does not meet them.

        Raises:
            TrainingError: Picked rows of the word embeddings train, and the loss depends on the
                whole matrix as well.
        """
        if not parameters:
            return ()
        embedding = self.forward.model.row_embedding
        has_picked = embedding is not None and embedding.rows is not None
        # Asked for only to be refused: a gradient that `autograd.grad` is not asked for is lost
        # without a word.
        whole = [embedding.weight] if embedding is not None and has_picked else []
        found = torch.autograd.grad(
            loss, [*parameters, *whole], retain_graph=keeps_graph, allow_unused=True
        )
        if embedding is not None and has_picked:
            embedding.check_unused(found[-1])
            found = found[:-1]
        if self.forward.scale is not None:
            return tuple(None if g is None else g / self.forward.loss_scale for g in found)
        return found

    def _zeros(self, rows: int, columns: int) -> Tensor:
        if self._memory.numel() < rows * columns:
            self._memory = torch.empty(rows * columns, device=self.forward.place.device)
        return self._memory[: rows * columns].view(rows, columns).zero_()
