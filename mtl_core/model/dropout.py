"""Dropout that draws its random numbers fast on CPUs."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_LEVELS = 2**16


def draw_bits(shape: Sequence[int], p: float) -> tuple[Tensor, int, float]:
    """Draws 16 random bits for every number, which say whether dropout keeps it.

    torch draws each number of a mask by itself on CPUs: for 450 tokens of width 384 that takes
    longer than the product of a 384 x 384 layer. Four come out of one draw here.

    Args:
        shape: Shape of what dropout goes over.
        p: Share of them that is dropped, rounded to 1 / 65536.

    Returns:
        int16 of that shape, of which those below the limit drop; the limit; the factor of others.
    """
    count, dropped = math.prod(shape), min(round(p * _LEVELS), _LEVELS - 1)
    # All of int64, so that each of its four pieces is any int16, all alike often.
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    bits = draws.view(torch.int16)[:count].view(tuple(shape))
    # The factor is of the share that is dropped, not of p, so that the mean stays as it is.
    return bits, dropped - _LEVELS // 2, _LEVELS / (_LEVELS - dropped)


class FastDropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014)."""

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with a share of `p` set to 0 and the others scaled, in training."""
        if not self.training or self.p in (0.0, 1.0) or input.device.type != "cpu":
            return super().forward(input)
        bits, limit, factor = draw_bits(input.shape, self.p)
        return input * (bits >= limit).to(input.dtype).mul_(factor)


def use_fast_dropout(model: nn.Module) -> None:
    """Puts a `FastDropout` in the place of every dropout of a model."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            # Subclasses may do something else, and one of these is here from the run before.
            if type(child) is nn.Dropout:
                changed = FastDropout(child.p)
                changed.train(child.training)
                setattr(module, name, changed)
