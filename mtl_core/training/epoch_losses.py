"""The mean training losses of an epoch so far, over all workers."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mtl_core.errors import TrainingError
from mtl_core.model.autocast import Precision
from mtl_core.training.distributed import Place
from mtl_core.training.optimizer import Optimizer


class EpochLosses:
    """Adds up the losses of an epoch's steps; the sums stay on the device until `means`."""

    def __init__(self, tasks: Sequence[str], place: Place) -> None:
        """Begins an epoch.

        Args:
            tasks: Names of all tasks.
            place: This worker.
        """
        self._place = place
        self._positions = {name: number for number, name in enumerate(tasks)}
        self._sums = torch.zeros(len(tasks), device=place.device)
        self._counts = dict.fromkeys(tasks, 0)

    def add(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """Adds a step.

        Args:
            sums: Task name -> loss summed over this worker's labels.
            counts: Task name -> labels of the whole step.
        """
        # No `.item()` here: the loop would wait for the device in every step.
        for name, value in sums.items():
            self._sums[self._positions[name]] += value
        for name, count in counts.items():
            self._counts[name] += count

    def means(self) -> dict[str, float]:
        """Returns task name -> mean loss so far, of tasks that had labels; waits for the device."""
        # A copy: the sum over workers is made in place, and this worker's own sums go on. Counts
        # are those of all workers already.
        sums = self._place.sum(self._sums.clone()).tolist()
        return {
            name: sums[number] / self._counts[name]
            for name, number in self._positions.items()
            if self._counts[name]
        }

    def state(self) -> dict[str, tuple[Tensor, int]]:
        """Returns task name -> (sum of the losses of all workers, number of labels)."""
        sums = self._place.sum(self._sums.clone()).cpu()
        # Copies, or each would be saved with the memory of all.
        return {
            name: (sums[number].clone(), self._counts[name])
            for name, number in self._positions.items()
        }

    def load(self, state: Mapping[str, tuple[Tensor, int]]) -> None:
        """Goes on from what `state` returned."""
        for name, (total, count) in state.items():
            # Of all workers: one of them takes it over.
            if self._place.rank == 0:
                self._sums[self._positions[name]] = total
            self._counts[name] = count


def check_finite(
    losses: Mapping[str, float], rates: Optimizer, precision: Precision, *, where: str
) -> None:
    """Refuses losses that are no numbers.

    Args:
        losses: Task name -> mean loss.
        rates: What is to be lowered.
        precision: What the run computes in.
        where: Epoch and step.

    Raises:
        TrainingError: One of them is not finite.
    """
    advice = "; fp16 ends at 65504, so try training.precision=fp32" if precision == "fp16" else ""
    for name, loss in losses.items():
        if not np.isfinite(loss):
            raise TrainingError(
                f"{where}: the loss of task '{name}' is {loss}; lower optimizer.encoder_lr "
                f"({rates.encoder_lr:g}) or optimizer.head_lr ({rates.head_lr:g}), or clip "
                f"gradients{advice}"
            )
