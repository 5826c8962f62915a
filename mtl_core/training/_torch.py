"""Private functions of torch 2.13 for which there is no public way."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def processor_flags() -> tuple[bool, bool]:
    """Returns whether an x86 processor says that it has AVX512 bf16, and AMX."""
    return torch.cpu._is_avx512_bf16_supported(), torch.cpu._is_amx_tile_supported()


def divide_all(tensors: Sequence[Tensor], divisor: float) -> None:
    """Divides tensors in place, all in one call."""
    # On a GPU each call is a kernel launch, which takes longer than dividing a small tensor.
    torch._foreach_div_(list(tensors), divisor)


def is_of_a_lost_worker(error: BaseException) -> bool:
    """Returns whether an error says that another worker is gone, or led to one that says so.

    Gloo raises a plain `RuntimeError`, of which the text alone tells; NCCL a `DistError`.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, dist.DistError):
            return True
        if isinstance(seen, RuntimeError) and "gloo/transport/" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
