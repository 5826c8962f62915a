"""Weightings and what they are given, for tests of both sorts."""

from collections.abc import Mapping

import torch
from pydantic import TypeAdapter
from torch import Tensor

from mtl_core.training.step import loss_factors
from mtl_core.weighting.base import GradientWeighting, LossWeighting
from mtl_core.weighting.kinds import WeightingSection

KINDS: TypeAdapter[WeightingSection] = TypeAdapter(WeightingSection)


LOSS_KINDS = ["fixed", "uncertainty", "dwa", "random", "geometric_mean", "imtl_l", "stch", "famo"]


GRADIENT_KINDS = [
    "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "gradvac", "graddrop", "aligned_mtl",
    "fairgrad", "imtl_g", "nash",
]  # fmt: skip


ONES = {"intent": 1.0, "slots": 1.0, "topic": 1.0}


LOSSES = {"intent": 2.0, "slots": 3.0, "topic": 0.5}


GRADIENTS = torch.tensor([[4.0, 1.0, -2.0, 0.5], [-1.0, 2.0, 1.0, 0.5], [0.5, -1.0, 3.0, 1.0]])


def on_losses(
    kind: str, weights: Mapping[str, float] = ONES, seed: int = 0, **parameters: float
) -> LossWeighting:
    weighting = KINDS.validate_python({"kind": kind, **parameters}).build(weights, seed=seed)
    assert isinstance(weighting, LossWeighting)
    return weighting


def on_gradients(
    kind: str, weights: Mapping[str, float] = ONES, seed: int = 0, **parameters: float | str
) -> GradientWeighting:
    weighting = KINDS.validate_python({"kind": kind, **parameters}).build(weights, seed=seed)
    assert isinstance(weighting, GradientWeighting)
    return weighting


def tensors(values: Mapping[str, float]) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


def factors(weighting: LossWeighting, values: Mapping[str, float]) -> dict[str, float]:
    weighting.begin_step()
    return {name: float(f) for name, f in loss_factors(weighting, tensors(values)).items()}


def combine(
    weighting: GradientWeighting, gradients: Tensor, names: tuple[str, ...] = tuple(ONES)
) -> Tensor:
    weighting.begin_step()
    losses = torch.tensor([LOSSES[name] for name in names])
    combined = weighting(gradients, losses, names)
    assert isinstance(combined, Tensor)
    return combined
