"""Where a process stands among the workers of a run; every function works without a group too."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Rank, number of workers and device of this process."""

    rank: int
    world_size: int
    device: torch.device

    @classmethod
    def current(cls) -> "Place":
        """Reads the process group when there is one, and takes a GPU when there is one."""
        has_group = dist.is_available() and dist.is_initialized()
        rank, world_size = (dist.get_rank(), dist.get_world_size()) if has_group else (0, 1)
        if torch.cuda.is_available():
            return cls(rank, world_size, torch.device("cuda", torch.cuda.current_device()))
        return cls(rank, world_size, torch.device("cpu"))

    def wrap(
        self, module: nn.Module, *, has_unused_parameters: bool, left_out: Sequence[Tensor] = ()
    ) -> nn.Module:
        """Returns the module behind DistributedDataParallel when there are several workers.

        Args:
            module: The module.
            has_unused_parameters: Whether a step may pass some parameters by.
            left_out: Parameters whose gradients it does not exchange.
        """
        for parameter in left_out:
            parameter.requires_grad_(False)  # It takes up those that train when it is made.
        try:
            if self.world_size == 1 or not any(p.requires_grad for p in module.parameters()):
                return module
            return DistributedDataParallel(
                module,
                find_unused_parameters=has_unused_parameters,
                gradient_as_bucket_view=True,
            )
        finally:
            for parameter in left_out:
                parameter.requires_grad_(True)

    def synchronised(self, module: nn.Module, *, is_wanted: bool) -> AbstractContextManager[None]:
        """Returns a context in which gradients are exchanged between workers, or are not."""
        if isinstance(module, DistributedDataParallel) and not is_wanted:
            context: AbstractContextManager[None] = module.no_sync()
            return context
        return nullcontext()

    def sum(self, values: Tensor) -> Tensor:
        """Returns the sum over all workers."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        """Returns the values of all workers, by rank."""
        if self.world_size == 1:
            return [value]
        gathered: list[T | None] = [None] * self.world_size
        dist.all_gather_object(gathered, value)
        return [item for item in gathered if item is not None]

    def barrier(self) -> None:
        """Waits for all workers."""
        if self.world_size > 1:
            dist.barrier()
