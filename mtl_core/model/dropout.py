"""Dropout that draws its random numbers fast on CPUs."""

import torch
from torch import Tensor, nn

_LEVELS = 2**16


class FastDropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) from 16 random bits a number.

    torch draws each number of a mask by itself on CPUs: for 450 tokens of width 384 that takes
    longer than the product of a 384 x 384 layer. Four come out of one draw here. `p` is kept to
    1 / 65536.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Returns the input with a share of `p` set to 0 and the others scaled, in training."""
        if not self.training or self.p in (0.0, 1.0) or input.device.type != "cpu":
            return super().forward(input)
        dropped = round(self.p * _LEVELS)
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = draws.view(torch.int16)[: input.numel()].view(input.shape)
        scaled = (bits >= dropped - _LEVELS // 2).to(input.dtype)
        return input * scaled.mul_(_LEVELS / (_LEVELS - dropped))


def use_fast_dropout(model: nn.Module) -> None:
    """Puts a `FastDropout` in the place of every dropout of a model."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                changed = FastDropout(child.p)
                changed.train(child.training)
                setattr(module, name, changed)
