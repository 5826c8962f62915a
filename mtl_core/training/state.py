"""The state of a run: all that changes while it trains, and that checkpoints keep."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.optim.lr_scheduler import LambdaLR

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.model.autocast import Precision
from mtl_core.model.freezing import Freezing
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.trained import frozen_in
from mtl_core.tasks.base import Task
from mtl_core.training.averaging import AveragingAdamW
from mtl_core.training.distributed import Place
from mtl_core.training.loss_scale import LossScale
from mtl_core.training.optimizer import build_optimizer, build_schedule
from mtl_core.training.precision import advise, agreed, choose
from mtl_core.training.report import Report
from mtl_core.training.so_far import EpochSoFar
from mtl_core.weighting.base import Weighting


@dataclass(slots=True)
class RunState:
    """The parts of a run that change while it trains, and its precision, which it keeps.

    Attributes:
        model: The model; from a report to the next step it holds the average of its weights, where
            the run keeps one.
        optimizer: AdamW over all that trains in some epoch; `RowAdamW` moves it.
        reports: What was reported.
        precision: What the run computes in.
        scale: The loss scale of fp16; None in other precisions.
        so_far: What the epoch has come to that the last report lies in; None where it ends one.
    """

    model: MultiTaskModel
    weighting: Weighting
    optimizer: AveragingAdamW
    schedule: LambdaLR
    reports: list[Report]
    precision: Precision
    scale: LossScale | None
    so_far: EpochSoFar | None = None


def new_state(
    config: RunConfig,
    assets: Assets,
    tasks: Mapping[str, Task],
    place: Place,
    *,
    steps: int,
    precision: Precision | None,
) -> RunState:
    """Returns the state before the first epoch; heads are drawn by the seed of the run.

    Args:
        config: The run.
        assets: Its encoder.
        tasks: Task name -> task.
        place: This worker.
        steps: Optimiser steps of the whole run.
        precision: What to compute in; None = what the configuration says, on this machine.

    Raises:
        ConfigError: Nothing is left to train, or the encoder does not allow the freezing.
    """
    # Directly before the heads are drawn: what runs before may draw as much as it likes.
    seed_torch(config.seed, "heads")
    model = assets.new_model(config, tasks)
    weights = {name: task.weight for name, task in config.tasks.items()}
    weighting = config.weighting.build(weights, seed=config.seed).to(place.device)
    # In the last epoch the most trains: the optimiser and the checkpoints hold all of it.
    set_frozen(model, config.freezing, epoch=config.training.epochs)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError("run.freezing: nothing is left to train")
    precision = precision or _choose_precision(config, model, place)
    section = config.optimizer
    rates = {name: task.learning_rate or section.head_lr for name, task in config.tasks.items()}
    optimizer = build_optimizer(model, weighting, section, rates)
    schedule = build_schedule(
        optimizer, schedule=section.schedule, warmup=section.warmup, total_steps=steps
    )
    scale = LossScale() if precision == "fp16" else None
    return RunState(model, weighting, optimizer, schedule, [], precision, scale)


def set_frozen(model: MultiTaskModel, freezing: Freezing, *, epoch: int) -> None:
    """Sets which parameters of encoder and writer train in an epoch (from 1).

    Raises:
        ConfigError: The encoder does not allow this kind of freezing.
    """
    modules = freezing.frozen_modules(model.encoder, epoch=epoch)
    model.freeze(modules, frozen_in(model, freezing, epoch=epoch))


def seed_torch(*parts: int | str) -> None:
    """Seeds torch's generators (head weights, dropout) from the parts."""
    # Hashed, so that no two uses (heads, epochs, workers) get the same or neighbouring seeds.
    digest = hashlib.sha256(repr(parts).encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def _choose_precision(config: RunConfig, model: MultiTaskModel, place: Place) -> Precision:
    choice = choose(config.training.precision, place.device, model.encoder.config)
    if place.rank == 0:
        advise(choice)
    # All workers come here: they may stand on different machines, and find differently.
    return agreed(place.gather(choice.precision))
