"""The forward pass of a step: micro-batches, and the losses of their tasks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.model.autocast import Precision, autocast
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.training.distributed import Place
from mtl_core.training.loss_scale import LossScale

Losses = dict[str, Tensor]
"""Task name -> loss, a scalar."""


class MicroBatch(NamedTuple):
    """What goes through the model at once: a share of a step's rows, of one data set.

    Attributes:
        batch: The rows.
        tasks: Names of the tasks on the data set that train.
    """

    batch: Batch
    tasks: Sequence[str]


class TaskLosses(nn.Module):
    """Model and losses as one module, so that DistributedDataParallel sees them all."""

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, names: Sequence[str]) -> Losses:
        """Returns the loss of every task, summed over the labels of the batch."""
        logits = self.model(batch, names)
        # Sums, as means of micro-batches of different sizes would not add up to that of the step.
        return {
            name: self.model.head(name).loss_sum(logits[name], batch.labels[name], batch)
            for name in names
        }


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """Computes the losses of a step on this worker.

    In fp16 losses are multiplied by `loss_scale` before each backward pass, and gradients are
    divided by it afterwards: weightings and the optimiser see neither.

    Attributes:
        module: The model and its losses, not wrapped.
        place: This worker.
        precision: What the forward pass computes in.
        scale: The loss scale of fp16; None in other precisions.
    """

    module: TaskLosses
    place: Place
    precision: Precision
    scale: LossScale | None = None

    @property
    def model(self) -> MultiTaskModel:
        """The model."""
        return self.module.model

    @property
    def loss_scale(self) -> float:
        """What losses are multiplied by for the backward pass."""
        return 1.0 if self.scale is None else self.scale.factor

    def __call__(self, micro_batch: MicroBatch, module: nn.Module | None = None) -> Losses:
        """Returns the loss of each task of a micro-batch, summed over its labels.

        Args:
            micro_batch: The rows.
            module: What to run in place of `module`: the same, wrapped for several workers.
        """
        # The forward pass alone: the backward pass computes each product in the dtype that it had.
        with autocast(self.place.device, self.precision):
            losses: Losses = (self.module if module is None else module)(*micro_batch)
        return losses

    def without_gradients(self, micro_batches: Sequence[MicroBatch]) -> Losses:
        """Returns task name -> loss summed over the labels of all micro-batches.

        The model stays in the mode that it is in: in training, dropout draws random numbers.
        """
        sums: Losses = {}
        with torch.no_grad():
            for micro_batch in micro_batches:
                add_losses(sums, self(micro_batch))
        return sums

    def means(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> Losses:
        """Returns the mean loss of each task that has labels in the step, detached.

        Args:
            sums: Task name -> loss summed over this worker's labels.
            counts: Task name -> labels of the whole step, over all workers and micro-batches.
        """
        present = with_labels(counts)
        # A task without labels on this worker takes part with 0: workers must sum equal shapes.
        zero = torch.zeros((), device=self.place.device)
        local = torch.stack([sums.get(name, zero).detach().float() for name in present])  # (tasks,)
        totals = self.place.sum(local)
        return {name: totals[n] / counts[name] for n, name in enumerate(present)}


def with_labels(counts: Mapping[str, int]) -> list[str]:
    """Returns the names of the tasks that have labels in a step."""
    return [name for name, count in counts.items() if count]


def add_losses(sums: Losses, more: Mapping[str, Tensor]) -> None:
    """Adds losses, detached, to those that are there."""
    for name, value in more.items():
        sums[name] = sums[name] + value.detach() if name in sums else value.detach()


@contextmanager
def same_random_numbers(device: torch.device) -> Iterator[None]:
    """Puts torch's generators back afterwards, so that dropout is drawn alike the next time."""
    # Named, as `fork_rng` would otherwise keep the states of all GPUs of the machine.
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
