"""What torch 2.13 keeps to itself and has no public way to."""

from collections.abc import Sequence

import torch
from torch import Tensor


def processor_flags() -> tuple[bool, bool]:
    """Returns whether an x86 processor says that it has AVX512 bf16, and AMX."""
    return torch.cpu._is_avx512_bf16_supported(), torch.cpu._is_amx_tile_supported()


def divide_all(tensors: Sequence[Tensor], divisor: float) -> None:
    """Divides tensors in place, in one call for all: one by one, each has the cost of a call."""
    torch._foreach_div_(list(tensors), divisor)
