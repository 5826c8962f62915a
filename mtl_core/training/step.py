"""One optimiser step: the parts of a batch, their losses, and how these become one update."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.model.autocast import Precision, autocast
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.training.distributed import Place
from mtl_core.training.gradients import accumulate, divide, loss_factors, split_like
from mtl_core.training.loss_scale import LossScale
from mtl_core.weighting.base import GradientWeighting, LossWeighting, Weighting

Losses = dict[str, Tensor]
"""Task name -> loss, a scalar."""
Part = tuple[Batch, Sequence[str]]
"""A batch and the names of the tasks on its data set."""


class TaskLosses(nn.Module):
    """Model and losses as one module, so that DistributedDataParallel sees them all."""

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, names: Sequence[str]) -> Losses:
        """Returns the loss of every task, summed over the labels of the batch."""
        logits = self.model(batch, names)
        return {
            name: self.model.head(name).loss_sum(logits[name], batch.labels[name], batch)
            for name in names
        }


class Stepper:
    """Fills the gradients for a step, so that workers and parts add up to the undivided batch.

    Each part's summed losses are divided by the labels of the whole step. Weightings see the
    losses (or gradients) of the whole step, whichever worker or part they come from.

    In fp16 losses are multiplied by the loss scale before each backward pass, and gradients divided
    by it afterwards: weightings and the optimiser see neither. A step whose gradients overflow
    leaves some that are not finite, and passes gradient weightings by, so that they do not keep
    what they make of it.
    """

    def __init__(
        self,
        losses: TaskLosses,
        weighting: Weighting,
        place: Place,
        *,
        task_weights: Mapping[str, float],
        precision: Precision,
        scale: LossScale | None = None,
    ) -> None:
        """Makes a stepper.

        Args:
            losses: The model and its losses.
            weighting: How the losses become one update.
            place: This worker.
            task_weights: Task name -> factor of its gradients; loss weightings know it already.
            precision: What the forward pass computes in.
            scale: The loss scale of fp16.
        """
        self.place = place
        self.weighting = weighting
        self._task_weights = dict(task_weights)
        self._bare = losses
        self._precision = precision
        self._scale = scale
        self._module: nn.Module = losses
        self._memory = torch.empty(0, device=place.device)
        self._learning: set[str] = set()
        self._is_weighted = False

    def wrap(self, *, has_unused_parameters: bool) -> None:
        """Puts the model behind DistributedDataParallel; again when other parameters train."""
        model = self._bare.model
        shared = next(model.shared_parameters(), None)
        self._learning = {
            name
            for name in self._task_weights
            if shared is not None or any(p.requires_grad for p in model.head(name).parameters())
        }
        if not isinstance(self.weighting, GradientWeighting):
            embedding = model.row_embedding
            self._module = self.place.wrap(
                self._bare,
                has_unused_parameters=has_unused_parameters,
                left_out=[] if embedding is None else [embedding.weight],
            )

    def backward(self, parts: Sequence[Part], counts: Mapping[str, int]) -> Losses:
        """Fills the gradients of all parameters that train; in fp16 some may not be finite.

        Args:
            parts: This worker's parts of the step.
            counts: Task name -> labels of the whole step, over all workers and parts.

        Returns:
            Task name -> loss summed over this worker's labels.
        """
        present = [name for name, count in counts.items() if count]
        self.weighting.begin_step()
        if isinstance(self.weighting, GradientWeighting):
            return self._combine_gradients(parts, counts, present)
        assert isinstance(self.weighting, LossWeighting)
        return self._combine_losses(parts, counts, present, self.weighting)

    def after_update(self, parts: Sequence[Part], counts: Mapping[str, int]) -> None:
        """Tells the weighting the losses after the update, when it asks for them."""
        weighting = self.weighting
        if not self._is_weighted:  # Nothing trained, so nothing has changed.
            return
        if isinstance(weighting, LossWeighting) and weighting.wants_losses_after_step:
            present = [name for name, count in counts.items() if count]
            weighting.after_step(self._totals(self._without_gradients(parts), counts, present))

    def task_gradients(self, parts: Sequence[Part], counts: Mapping[str, int]) -> Tensor:
        """Returns the gradient of every present task's mean loss, (tasks, shared parameters)."""
        present = [name for name, count in counts.items() if count]
        # Looking must not change the run.
        with same_random_numbers(self.place.device):
            return self._gradients(parts, counts, present, lambda name: 1.0, fills_heads=False)[0]

    def _combine_losses(
        self,
        parts: Sequence[Part],
        counts: Mapping[str, int],
        present: Sequence[str],
        weighting: LossWeighting,
    ) -> Losses:
        sums: Losses = {}
        factors: Mapping[str, Tensor | float] | None = None
        if weighting.is_constant:
            factors = weighting.current_weights()
        elif not weighting.compares_losses:
            ones = {name: torch.ones((), device=self.place.device) for name in present}
            factors = loss_factors(weighting, ones)
        elif len(parts) > 1:
            # The factors need the losses of all parts: one pass without gradients to know them.
            with same_random_numbers(self.place.device):
                before = self._without_gradients(parts)
            factors = loss_factors(weighting, self._totals(before, counts, present))
        # Where all that a part's tasks meet is frozen, there is nothing to go back through.
        training = [n for n, (_, names) in enumerate(parts) if not self._learning.isdisjoint(names)]
        for number, (batch, names) in enumerate(parts):
            if number not in training:
                _add(sums, self._without_gradients([(batch, names)]))
                continue
            # Gradients cross the network once a step, not once a part.
            is_last = number == training[-1]
            with self.place.synchronised(self._module, is_wanted=is_last):
                local = self._forward(self._module, batch, names)
                if factors is None:
                    factors = loss_factors(weighting, self._totals(local, counts, present))
                # A head without labels in this part still takes part: DistributedDataParallel
                # waits for the gradients of every parameter that the forward pass has met.
                terms = [
                    local[name] * (factors[name] / counts[name] if counts[name] else 0.0)
                    for name in names
                ]
                # It averages over workers, too; the parts have to add up.
                scale = self.place.world_size * self._loss_scale
                torch.autograd.backward(torch.stack(terms).sum() * scale)
            _add(sums, local)
        self._is_weighted = factors is not None
        self._sum_rows()
        if self._scale is not None:
            model = self._bare.model
            divide([*model.parameters(), *model.shared_parameters()], self._loss_scale)
        if any(parameter.requires_grad for parameter in weighting.parameters()):
            totals = self._totals(sums, counts, present)
            torch.autograd.backward(weighting(totals))
        return sums

    def _sum_rows(self) -> None:
        """Exchanges the gradient of picked word embeddings, new tensors in every step."""
        embedding = self._bare.model.row_embedding
        if self.place.world_size > 1 and embedding is not None and embedding.rows is not None:
            accumulate([embedding.rows], [torch.zeros_like(embedding.rows)])
            assert embedding.rows.grad is not None
            self.place.sum(embedding.rows.grad).div_(self.place.world_size)

    @property
    def _loss_scale(self) -> float:
        return 1.0 if self._scale is None else self._scale.factor

    def _combine_gradients(
        self, parts: Sequence[Part], counts: Mapping[str, int], present: Sequence[str]
    ) -> Losses:
        weights = self._task_weights
        matrix, sums = self._gradients(
            parts, counts, present, lambda name: weights[name], fills_heads=True
        )
        totals = self._totals(sums, counts, present)
        losses = torch.stack([weights[name] * totals[name] for name in present])
        if self._scale is not None and not matrix.isfinite().all():
            combined = matrix.sum(dim=0)  # Not finite either, so the step is skipped.
        else:
            with torch.no_grad():
                combined = self.weighting(matrix, losses, present)
        shared = list(self._bare.model.shared_parameters())
        for parameter, part in zip(shared, split_like(combined, shared), strict=True):
            parameter.grad = part
        return sums

    def _gradients(
        self,
        parts: Sequence[Part],
        counts: Mapping[str, int],
        present: Sequence[str],
        weight: Callable[[str], float],
        *,
        fills_heads: bool,
    ) -> tuple[Tensor, Losses]:
        """Returns gradients (present tasks, shared parameters) and summed losses of this worker.

        With `fills_heads`, the parameters of the heads get their own task's gradient.
        """
        shared = list(self._bare.model.shared_parameters())
        matrix = self._zeros(len(present), sum(parameter.numel() for parameter in shared))
        own = {
            name: [p for p in self._bare.model.head(name).parameters() if p.requires_grad]
            for name in present
        }
        sums: Losses = {}
        for batch, names in parts:
            local = self._forward(self._bare, batch, names)
            here = [name for name in names if name in present]
            for name in here:
                loss = local[name] * (weight(name) / counts[name] * self._loss_scale)
                if not loss.requires_grad:  # All that the task meets is frozen.
                    continue
                found = torch.autograd.grad(
                    loss, [*shared, *own[name]], retain_graph=name != here[-1], allow_unused=True
                )
                if self._scale is not None:
                    found = tuple(None if g is None else g / self._loss_scale for g in found)
                row = split_like(matrix[present.index(name)], shared)
                for total, gradient in zip(row, found[: len(shared)], strict=True):
                    if gradient is not None:
                        total.add_(gradient)
                if fills_heads:
                    accumulate(own[name], found[len(shared) :])
            _add(sums, local)
        self.place.sum(matrix)
        if fills_heads and self.place.world_size > 1:
            for parameter in (p for parameters in own.values() for p in parameters):
                accumulate([parameter], [torch.zeros_like(parameter)])
                assert parameter.grad is not None
                self.place.sum(parameter.grad)
        return matrix, sums

    def _zeros(self, rows: int, columns: int) -> Tensor:
        """Returns a matrix of zeros in memory that is used again: large new memory is slow."""
        if self._memory.numel() < rows * columns:
            self._memory = torch.empty(rows * columns, device=self.place.device)
        return self._memory[: rows * columns].view(rows, columns).zero_()

    def _forward(self, module: nn.Module, batch: Batch, names: Sequence[str]) -> Losses:
        with autocast(self.place.device, self._precision):
            losses: Losses = module(batch, names)
        return losses

    def _without_gradients(self, parts: Sequence[Part]) -> Losses:
        sums: Losses = {}
        with torch.no_grad():
            for batch, names in parts:
                _add(sums, self._forward(self._bare, batch, names))
        return sums

    def _totals(
        self, sums: Mapping[str, Tensor], counts: Mapping[str, int], present: Sequence[str]
    ) -> Losses:
        """Returns the mean loss of each present task over all workers and parts, detached."""
        zero = torch.zeros((), device=self.place.device)
        local = torch.stack([sums.get(name, zero).detach().float() for name in present])
        totals = self.place.sum(local)
        return {name: totals[n] / counts[name] for n, name in enumerate(present)}


@contextmanager
def same_random_numbers(device: torch.device) -> Iterator[None]:
    """Puts torch's generators back afterwards, so that dropout is drawn alike the next time."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def _add(sums: Losses, more: Mapping[str, Tensor]) -> None:
    for name, value in more.items():
        sums[name] = sums[name] + value.detach() if name in sums else value.detach()
