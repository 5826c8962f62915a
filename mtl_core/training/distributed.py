"""The place of a process among the workers of a run; it works without a process group too."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mtl_core.errors import ConfigError, did_you_mean

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Rank, number of workers and device of this process."""

    rank: int
    world_size: int
    device: torch.device

    @classmethod
    def current(cls) -> "Place":
        """Reads the process group and the current GPU, where there are any."""
        has_group = dist.is_available() and dist.is_initialized()
        rank, world_size = (dist.get_rank(), dist.get_world_size()) if has_group else (0, 1)
        if torch.cuda.is_available():
            return cls(rank, world_size, torch.device("cuda", torch.cuda.current_device()))
        return cls(rank, world_size, torch.device("cpu"))

    def wrap(
        self, module: nn.Module, *, has_unused_parameters: bool, left_out: Sequence[Tensor] = ()
    ) -> nn.Module:
        """Wraps a module in DistributedDataParallel when there are several workers.

        Wrap it anew when other parameters train.

        Args:
            module: The module.
            has_unused_parameters: Whether the loss of a step may not depend on some parameters.
            left_out: Parameters whose gradients it does not exchange.
        """
        for parameter in left_out:
            # DistributedDataParallel exchanges what requires a gradient at the moment it is made.
            parameter.requires_grad_(False)
        try:
            # Of a module without any such parameter it raises an error.
            if self.world_size == 1 or not any(p.requires_grad for p in module.parameters()):
                return module
            return DistributedDataParallel(
                module,
                # Otherwise a parameter without a gradient ends the run in its next step. Finding
                # them costs a walk through the graph in each step, so only where it is needed.
                find_unused_parameters=has_unused_parameters,
                gradient_as_bucket_view=True,
            )
        finally:
            for parameter in left_out:
                parameter.requires_grad_(True)

    def synchronised(self, module: nn.Module, *, is_wanted: bool) -> AbstractContextManager[None]:
        """Returns a context in which backward passes exchange gradients, or only add them up.

        The forward pass has to be inside too: it decides what its backward pass does.
        """
        if isinstance(module, DistributedDataParallel) and not is_wanted:
            context: AbstractContextManager[None] = module.no_sync()
            return context
        return nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """Returns the sum over all workers, which replaces the values in place."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        """Returns the values of all workers, by rank; a value may not be None."""
        if self.world_size == 1:
            return [value]
        gathered: list[T | None] = [None] * self.world_size
        dist.all_gather_object(gathered, value)
        return [item for item in gathered if item is not None]

    def barrier(self) -> None:
        """Waits for all workers."""
        if self.world_size > 1:
            dist.barrier()


def find_device(name: str | None) -> torch.device:
    """Returns the device of a name.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps"; None = the current GPU, or the CPU without one.

    Raises:
        ConfigError: This machine has no such device.
    """
    if name is None:
        return Place.current().device
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    here = ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]
    if name == "cuda" and gpus:
        return Place.current().device
    if name not in here:
        raise ConfigError(
            f"device: this machine has no '{name}'; it has {', '.join(here)}."
            f"{did_you_mean(name, here)}"
        )
    return torch.device(name)
