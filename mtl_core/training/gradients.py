"""Work on gradients: the factors that a weighting gives them; splitting, adding, dividing."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mtl_core.training._torch import divide_all
from mtl_core.weighting.base import LossWeighting


def loss_factors(weighting: LossWeighting, totals: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the derivative of a weighting's objective by each loss: the factor of its gradient.

    The weighting's own parameters get no gradient here.
    """
    # d objective / d theta = sum_i (d objective / d L_i) (d L_i / d theta): with the factors known,
    # each micro-batch goes backward by itself and its graph can be freed.
    leaves = {name: value.detach().requires_grad_() for name, value in totals.items()}
    found = torch.autograd.grad(
        weighting(leaves), list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(leaves, found, strict=True))


def split_like(vector: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Returns views of a vector, (parameters,), in the shapes of the parameters, in their order."""
    parts = torch.split(vector, [parameter.numel() for parameter in parameters])
    return [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]


def accumulate(parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    """Adds gradients to those that the parameters have; None adds nothing."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def divide(tensors: Sequence[Tensor], divisor: float) -> None:
    """Divides the gradients of tensors, each once, in place."""
    # Tensors may come twice, and must not be divided twice.
    found = {id(t.grad): t.grad for t in tensors if t.grad is not None}
    if found:
        divide_all(list(found.values()), divisor)
