"""Precisions of a forward pass, and the one autocast context that all code uses."""

from typing import Final, Literal

import torch

Precision = Literal["bf16", "fp16", "fp32"]
"""What autocast makes the forward pass compute in; weights stay fp32."""

DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Returns the context in which a forward pass computes in a precision."""
    is_half = precision != "fp32"
    dtype = DTYPES[precision] if is_half else torch.bfloat16
    # In fp32 it is there too, turned off: so it also ends one that the caller has opened.
    return torch.autocast(device.type, dtype, enabled=is_half)
