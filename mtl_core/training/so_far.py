"""What an epoch has come to at a report within it: a run that goes on from there needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_core.training.diagnostics import GradientDiagnostics, Look
from mtl_core.training.distributed import Place
from mtl_core.training.epoch_losses import EpochLosses


@dataclass(frozen=True, slots=True)
class EpochSoFar:
    """What checkpoints keep of an epoch that is not over.

    Attributes:
        losses: Task name -> (training loss summed over the labels of all workers, a scalar on the
            CPU; how many labels).
        gradients: Names as `Report.gradients` has them -> the values of each look.
        generators: Of each worker the states of torch's generators: of the CPU, then of its GPU.
    """

    losses: Mapping[str, tuple[Tensor, int]]
    gradients: Mapping[str, Sequence[float]]
    generators: Sequence[Sequence[Tensor]]


class EpochTotals:
    """What is added up over the steps of an epoch, over all its reports.

    Attributes:
        losses: The training losses.
        gradients: What was seen of the tasks' gradients.
    """

    def __init__(self, tasks: Sequence[str], place: Place) -> None:
        """Begins an epoch of these tasks."""
        self.losses = EpochLosses(tasks, place)
        self.gradients = GradientDiagnostics()
        self._place = place

    def look(self, seen: Look | None) -> None:
        """Takes in what a look has seen; None = nothing."""
        if seen is not None:
            self.gradients.add(seen)

    def so_far(self) -> EpochSoFar:
        """Returns what a checkpoint keeps; all workers call this together."""
        generators = self._place.gather(generator_states(self._place.device))
        return EpochSoFar(self.losses.state(), self.gradients.state(), generators)

    def go_on(self, so_far: EpochSoFar) -> bool:
        """Takes up an epoch where it was left, with the same random numbers.

        Returns:
            Whether they are the same: not with another number of workers, where nothing is put in
            their place.
        """
        self.losses.load(so_far.losses)
        self.gradients.load(so_far.gradients)
        if len(so_far.generators) != self._place.world_size:
            return False
        self.put_back(so_far)
        return True

    def put_back(self, so_far: EpochSoFar) -> None:
        """Has torch's generators draw what they would have drawn next."""
        set_generators(so_far.generators[self._place.rank], self._place.device)


def generator_states(device: torch.device) -> list[Tensor]:
    """Returns the states of the generators that dropout on a device draws from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states


def set_generators(states: Sequence[Tensor], device: torch.device) -> None:
    """Puts back what `generator_states` returned; a state of a GPU on the CPU is passed over."""
    first, *others = states
    torch.set_rng_state(first)
    if others and device.type == "cuda":
        torch.cuda.set_rng_state(others[0], device)
