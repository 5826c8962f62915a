"""How the losses of a step become the gradients of one update: a class per sort of weighting."""

from abc import ABC, abstractmethod
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
from mtl_core.training.gradients import accumulate, divide, loss_factors, split_like
from mtl_core.training.task_gradients import TaskGradients
from mtl_core.weighting.base import GradientWeighting, LossWeighting, Weighting


class Step(ABC):
    """Fills the gradients of a step, so that workers and micro-batches add up to the whole batch.

    The summed losses of each micro-batch are divided by the labels of the whole step. Weightings
    see the losses (or gradients) of the whole step, whichever worker or micro-batch they come from.

    A step is made for what trains now, and wraps the model for several workers when it is made:
    when other parameters train, build another. The order of calls: `backward`, the update, and,
    when an update was made, `after_update`.
    """

    @abstractmethod
    def backward(self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]) -> Losses:
        """Fills the gradients of all parameters that train; in fp16 some may not be finite.

        Args:
            micro_batches: This worker's rows of the step.
            counts: Task name -> labels of the whole step, over all workers and micro-batches.

        Returns:
            Task name -> loss summed over this worker's labels.
        """

    def after_update(self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]) -> None:
        """Tells the weighting the losses after the update, where it asks for them."""
        return


class LossStep(Step):
    """One backward pass over the losses, each by its factor.

    The factor of a loss is the derivative of the weighting's objective by it, so the backward pass
    of each micro-batch can be made by itself.
    """

    def __init__(
        self,
        weighting: LossWeighting,
        forward: ForwardPass,
        *,
        tasks: Sequence[str],
        has_unused_parameters: bool,
    ) -> None:
        """Puts the model behind DistributedDataParallel where there are several workers.

        Args:
            weighting: What makes the factors.
            forward: The forward pass.
            tasks: Names of all tasks.
            has_unused_parameters: Whether the loss of a step may not depend on some parameters.
        """
        self._weighting = weighting
        self._forward = forward
        model = forward.model
        shared = next(model.shared_parameters(), None)
        # Tasks with something to train: where there are none, there is nothing to go back through.
        self._learning = {
            name
            for name in tasks
            if shared is not None or any(p.requires_grad for p in model.head(name).parameters())
        }
        embedding = model.row_embedding
        self._module = forward.place.wrap(
            forward.module,
            has_unused_parameters=has_unused_parameters,
            left_out=[] if embedding is None else [embedding.weight],
        )
        self._is_weighted = False

    def backward(self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]) -> Losses:
        """Fills the gradients; see `Step`."""
        self._weighting.begin_step()
        factors = self._known_factors(micro_batches, counts)  # None: once the losses are there
        training = [
            number
            for number, (_, names) in enumerate(micro_batches)
            if not self._learning.isdisjoint(names)
        ]
        sums: Losses = {}
        for number, micro_batch in enumerate(micro_batches):
            if number not in training:
                add_losses(sums, self._forward.without_gradients([micro_batch]))
                continue
            # Gradients cross the network once per step, in the last backward pass.
            is_last = number == training[-1]
            with self._forward.place.synchronised(self._module, is_wanted=is_last):
                local = self._forward(micro_batch, self._module)
                if factors is None:
                    # The only micro-batch of this step: its losses are those of the step.
                    factors = loss_factors(self._weighting, self._forward.means(local, counts))
                self._backward(local, micro_batch.tasks, factors, counts)
            add_losses(sums, local)
        self._is_weighted = factors is not None
        self._exchange_rows()
        self._take_scale_out()
        # Its own parameters, unscaled. The means are those of all workers: nothing to exchange.
        if any(parameter.requires_grad for parameter in self._weighting.parameters()):
            torch.autograd.backward(self._weighting(self._forward.means(sums, counts)))
        return sums

    def after_update(self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]) -> None:
        """Tells the weighting the losses after the update, where it asks for them."""
        if not self._is_weighted:  # Nothing trained, so nothing has changed.
            return
        if self._weighting.wants_losses_after_step:
            after = self._forward.without_gradients(micro_batches)
            self._weighting.after_step(self._forward.means(after, counts))

    def _known_factors(
        self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]
    ) -> Mapping[str, Tensor | float] | None:
        """Returns the factors of the losses; None = they depend on those of the one micro-batch."""
        weighting, place = self._weighting, self._forward.place
        if weighting.is_constant:
            return weighting.current_weights()
        if not weighting.compares_losses:
            # The slope of the objective by each loss is the same at 1 as at any other value.
            ones = {name: torch.ones((), device=place.device) for name in with_labels(counts)}
            return loss_factors(weighting, ones)
        if len(micro_batches) == 1:
            return None
        # They need the losses of all micro-batches: one pass without gradients to know them, with
        # dropout drawn as in the pass that trains.
        with same_random_numbers(place.device):
            before = self._forward.without_gradients(micro_batches)
        return loss_factors(weighting, self._forward.means(before, counts))

    def _backward(
        self,
        local: Losses,
        names: Sequence[str],
        factors: Mapping[str, Tensor | float],
        counts: Mapping[str, int],
    ) -> None:
        """Adds the gradients of a micro-batch to those that stand."""
        # A head without labels here still takes part: DistributedDataParallel waits for the
        # gradients of every parameter that the forward pass has met.
        terms = [
            local[name] * (factors[name] / counts[name] if counts[name] else 0.0) for name in names
        ]
        # DistributedDataParallel averages over workers, but their losses have to add up.
        scale = self._forward.place.world_size * self._forward.loss_scale
        torch.autograd.backward(torch.stack(terms).sum() * scale)

    def _exchange_rows(self) -> None:
        """Averages the gradient of picked word embeddings: DistributedDataParallel knows none.

        They are new tensors in every step.
        """
        # Averaged, as `_backward` has multiplied by the number of workers.
        place, embedding = self._forward.place, self._forward.model.row_embedding
        if place.world_size > 1 and embedding is not None and embedding.rows is not None:
            # A worker where nothing trained has no gradient, and yet takes part in the sum.
            accumulate([embedding.rows], [torch.zeros_like(embedding.rows)])
            assert embedding.rows.grad is not None
            place.sum(embedding.rows.grad).div_(place.world_size)

    def _take_scale_out(self) -> None:
        """Divides the gradients by the loss scale of fp16."""
        if self._forward.scale is not None:
            model = self._forward.model
            divide([*model.parameters(), *model.shared_parameters()], self._forward.loss_scale)


class GradientStep(Step):
    """A backward pass per task, and what the weighting makes of these gradients.

    In fp16, where gradients overflow, the weighting is not called, so that its state is not spoilt;
    the gradients that are left are not finite, and the update is skipped.
    """

    def __init__(
        self,
        weighting: GradientWeighting,
        gradients: TaskGradients,
        *,
        task_weights: Mapping[str, float],
    ) -> None:
        """Makes a step.

        Args:
            weighting: Combines the gradients of the tasks.
            gradients: Computes them; workers exchange them there, and nothing is wrapped.
            task_weights: Task name -> factor of its loss.
        """
        self._weighting = weighting
        self._gradients = gradients
        self._task_weights = task_weights

    def backward(self, micro_batches: Sequence[MicroBatch], counts: Mapping[str, int]) -> Losses:
        """Fills the gradients; see `Step`."""
        self._weighting.begin_step()
        weights, forward = self._task_weights, self._gradients.forward
        matrix, sums = self._gradients.fill(micro_batches, counts, weights)
        present, means = with_labels(counts), forward.means(sums, counts)
        # Weighted as the gradients are: the rows belong to these losses, (tasks,).
        losses = torch.stack([weights[name] * means[name] for name in present])
        if forward.scale is not None and not matrix.isfinite().all():
            combined = matrix.sum(dim=0)  # Not finite either, so the update is skipped.
        else:
            with torch.no_grad():
                combined = self._weighting(matrix, losses, present)
        # Heads have their gradients from `fill`; what they share gets its pieces of (parameters,).
        shared = list(forward.model.shared_parameters())
        for parameter, part in zip(shared, split_like(combined, shared), strict=True):
            parameter.grad = part
        return sums


def build_step(
    weighting: Weighting,
    gradients: TaskGradients,
    *,
    task_weights: Mapping[str, float],
    has_unused_parameters: bool,
) -> Step:
    """Builds the step that a weighting needs, for what trains now.

    Args:
        weighting: How the losses become one update.
        gradients: Computes the gradients of single tasks, and knows the forward pass.
        task_weights: Task name -> factor of its loss; loss weightings know it already.
        has_unused_parameters: Whether the loss of a step may not depend on some parameters.

    Raises:
        TypeError: The weighting combines neither losses nor gradients.
    """
    match weighting:
        case LossWeighting():
            return LossStep(
                weighting,
                gradients.forward,
                tasks=list(task_weights),
                has_unused_parameters=has_unused_parameters,
            )
        case GradientWeighting():
            return GradientStep(weighting, gradients, task_weights=task_weights)
    raise TypeError(f"{type(weighting).__name__} combines neither losses nor gradients")
