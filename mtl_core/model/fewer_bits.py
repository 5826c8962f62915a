"""Linear layers whose frozen weights take fewer bits: 16 as bf16, 8 and 4 by bitsandbytes.

In 4 bits as QLoRA has them (4-bit NormalFloat, double quantization): Dettmers et al. 2023,
https://arxiv.org/abs/2305.14314, section 3. In 8 bits: Dettmers et al. 2022,
https://arxiv.org/abs/2208.07339.
"""

from importlib import import_module
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mtl_core.errors import ConfigError
from mtl_core.extras import check_installed

Bits = Literal[4, 8, 16, 32]
"""Bits of a weight of a frozen linear layer; 32 = as it was loaded."""


class HalfLinear(nn.Linear):
    """A linear layer that keeps its weights in bf16, and computes in the precision of its input.

    Where autocast computes in bf16, that saves the cast of the weights in every pass, and changes
    no number: the cast is what these weights are.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Returns (..., out) of (..., in)."""
        if torch.is_autocast_enabled(input.device.type):
            return linear(input, self.weight, self.bias)
        bias = None if self.bias is None else self.bias.to(input.dtype)
        return linear(input, self.weight.to(input.dtype), bias)


def check_bits(bits: Bits, device: torch.device) -> None:
    """Refuses bits that a device has no kernels for.

    Raises:
        ConfigError: It has none, or bitsandbytes is not installed.
    """
    if bits > 8:
        return
    if device.type != "cuda":
        raise ConfigError(
            f"run.freezing.bits: {bits} needs a CUDA GPU, for which bitsandbytes has its kernels; "
            f"on '{device.type}' each product would first make the weights anew, far slower than "
            "in 16 bits; use 16 or 32"
        )
    check_installed(["bitsandbytes"], what=f"run.freezing.bits {bits}")


def with_fewer_bits(layer: nn.Module, bits: Bits) -> nn.Module:
    """Returns a linear layer that computes nearly the same with weights of fewer bits.

    Args:
        layer: `nn.Linear`, or a `Conv1D` of Transformers; it stays as it is.
        bits: 16, 8 or 4.
    """
    weight, bias = _weight_of(layer), cast("Tensor | None", layer.bias)
    outputs, inputs = weight.shape
    if bits == 16:
        made: nn.Linear = HalfLinear(
            inputs, outputs, bias is not None, device="meta", dtype=torch.bfloat16
        )
        made.weight = nn.Parameter(weight.bfloat16(), requires_grad=False)
        if bias is not None:
            made.bias = nn.Parameter(bias.detach().bfloat16(), requires_grad=False)
        return made
    few: Any = import_module("bitsandbytes.nn")
    # The package makes fewer bits of a weight on its way to the GPU.
    if bits == 8:
        made = few.Linear8bitLt(inputs, outputs, bias is not None, has_fp16_weights=False)
        made.weight = few.Int8Params(weight.cpu(), requires_grad=False, has_fp16_weights=False)
    else:
        made = few.Linear4bit(inputs, outputs, bias is not None, quant_type="nf4")
        made.weight = few.Params4bit(
            weight.cpu(), requires_grad=False, quant_type="nf4", compress_statistics=True
        )
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return made.to(weight.device)


def write_back(made: nn.Module, layer: nn.Module) -> None:
    """Gives a layer the weights that `with_fewer_bits` has made of its own, as they compute."""
    if isinstance(made, HalfLinear):
        weight = made.weight
    else:
        from peft.utils.integrations import dequantize_module_weight

        weight = dequantize_module_weight(made)
    with torch.no_grad():
        own = cast("Tensor", layer.weight)
        own.copy_(weight if isinstance(layer, nn.Linear) else weight.T)
        if layer.bias is not None:
            cast("Tensor", layer.bias).copy_(cast("Tensor", made.bias))


def _weight_of(layer: nn.Module) -> Tensor:
    """Returns the weight of a linear layer, (out, in), detached; `Conv1D` has it turned."""
    weight = cast("Tensor", layer.weight).detach()
    return weight if isinstance(layer, nn.Linear) else weight.T.contiguous()
