"""Private functions of torch 2.13 for which there is no public way."""

from collections.abc import Sequence

import torch
from torch import Tensor


def processor_flags() -> tuple[bool, bool]:
    """Returns whether an x86 processor says that it has AVX512 bf16, and AMX."""
    return torch.cpu._is_avx512_bf16_supported(), torch.cpu._is_amx_tile_supported()


def divide_all(tensors: Sequence[Tensor], divisor: float) -> None:
    """Divides tensors in place, all in one call."""
    # On a GPU each call is a kernel launch, which takes longer than dividing a small tensor.
    torch._foreach_div_(list(tensors), divisor)
