"""The optimiser: AdamW with learning rates per layer and head, warm-up and a schedule."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Literal

from pydantic import Field
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from mtl_core.model.layers import separate_layers
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.section import Section
from mtl_core.training.averaging import WIDEST, AveragingAdamW

Schedule = Literal["linear", "cosine", "constant"]


class Optimizer(Section):
    """AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101)."""

    encoder_lr: float = Field(default=5e-5, gt=0)
    """Peak learning rate of the encoder's top layer."""
    head_lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of the heads; `tasks.<name>.learning_rate` overrides it."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor of the learning rate from each encoder layer to the one below it."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of matrices; biases and norms have none."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps in which the rates rise from 0."""
    schedule: Schedule = "linear"
    """How the rates fall to 0 after the warm-up; `constant` = they do not."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest norm of the whole gradient; null = no clipping."""
    averaging: float | None = Field(default=None, gt=0, le=WIDEST)
    """Width of a moving average of the weights, as a share of the steps so far; null = no average.

    The run is scored, and its model saved, with the average, and trains on without it. 0.1 is a
    good value: most of the average is of the last fifth of the steps (Karras et al. 2024,
    https://arxiv.org/abs/2312.02696). It costs memory for one more copy of all that trains.
    """


def build_optimizer(
    model: MultiTaskModel,
    weighting: nn.Module,
    settings: Optimizer,
    head_rates: Mapping[str, float],
) -> AveragingAdamW:
    """Builds AdamW over the parameters that train now; those frozen later on have no gradients.

    Args:
        model: The model.
        weighting: The loss weighting; its parameters train at `head_lr`, without decay.
        settings: The optimiser's section.
        head_rates: Task name -> learning rate of its head.

    Returns:
        An optimiser whose groups carry a `name`: "encoder" (or "encoder.embeddings",
        "encoder.layer_0" ... with layer decay), "writer" (and "writer.new"), "pooling",
        "head.<task>" and "weighting".
    """
    groups = [
        *_encoder_groups(model.encoder, settings),
        *_writer_groups(model, settings),
        *_split("pooling", model.pooler.parameters(), settings.head_lr, settings.weight_decay),
        *(
            group
            for task, rate in head_rates.items()
            for group in _split(
                f"head.{task}", model.head(task).parameters(), rate, settings.weight_decay
            )
        ),
        *_split("weighting", weighting.parameters(), settings.head_lr, 0.0),
    ]
    return AveragingAdamW(groups, width=settings.averaging)


def build_schedule(
    optimizer: AdamW, *, schedule: Schedule, warmup: float, total_steps: int
) -> LambdaLR:
    """Builds the schedule over `total_steps` optimiser steps; warm-up is a share of them."""
    factor = partial(
        rate_factor,
        schedule=schedule,
        warmup_steps=round(warmup * total_steps),
        total_steps=total_steps,
    )
    return LambdaLR(optimizer, factor)


def rate_factor(step: int, *, schedule: Schedule, warmup_steps: int, total_steps: int) -> float:
    """Returns the factor of the peak learning rate before step `step`, in [0, 1]."""
    # From 1 / (warmup_steps + 1), not from 0: a first step with rate 0 would be wasted.
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if schedule == "constant":
        return 1.0
    # Below 1 in all steps that are made: the rate is 0 only behind the last one.
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    if schedule == "linear":
        return max(0.0, 1.0 - done)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def learning_rates(optimizer: AdamW) -> dict[str, float]:
    """Returns group name -> learning rate now."""
    return {group["name"]: float(group["lr"]) for group in optimizer.param_groups}


def _encoder_groups(encoder: nn.Module, settings: Optimizer) -> Iterator[dict[str, object]]:
    rate, decay = settings.encoder_lr, settings.layer_decay
    if decay == 1.0:
        yield from _split("encoder", encoder.parameters(), rate, settings.weight_decay)
        return
    parts = separate_layers(encoder, "run.optimizer.layer_decay")
    # rate_l = encoder_lr layer_decay^(L - l), l = 0 being the embeddings and L the top layer. What
    # stands above the layers trains with the top one.
    top = len(parts.layers) - 1
    for number, layer in enumerate(parts.layers):
        modules = nn.ModuleList([layer, *parts.above] if number == top else [layer])
        factor = decay ** (top - number)
        name, parameters = f"encoder.layer_{number}", modules.parameters()
        yield from _split(name, parameters, rate * factor, settings.weight_decay)
    lowest = rate * decay ** len(parts.layers)
    below = nn.ModuleList(parts.below)
    yield from _split("encoder.embeddings", below.parameters(), lowest, settings.weight_decay)


def _writer_groups(model: MultiTaskModel, settings: Optimizer) -> Iterator[dict[str, object]]:
    """Yields the writer's own parameters, which stand above the top layer of the encoder."""
    new = set() if model.writer is None else set(model.writer.new_parameters())
    own = model.writer_parameters()
    for name, parameters, rate in (
        ("writer", [p for p in own if p not in new], settings.encoder_lr),
        ("writer.new", [p for p in own if p in new], settings.head_lr),
    ):
        yield from _split(name, parameters, rate, settings.weight_decay)


def _split(
    name: str, parameters: Iterable[nn.Parameter], rate: float, weight_decay: float
) -> Iterator[dict[str, object]]:
    """Yields a group with weight decay (matrices) and one without (biases, norms)."""
    # Decay pulls towards 0, which for the scale of a norm is no neutral value.
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    for decay, chosen in (
        (weight_decay, [p for p in trained if p.ndim > 1]),
        (0.0, [p for p in trained if p.ndim <= 1]),
    ):
        if chosen:
            yield {"name": name, "params": chosen, "lr": rate, "weight_decay": decay}
