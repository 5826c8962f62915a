"""Counts and describes which parameters of a model train."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import torch
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.freezing import Freezing
from mtl_core.model.layers import encoder_parts
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.probe import facts_of


def frozen_in(model: MultiTaskModel, freezing: Freezing, *, epoch: int) -> set[nn.Parameter]:
    """Returns the parameters of encoder and writer that keep their weights in an epoch (from 1).

    Raises:
        ConfigError: The encoder does not allow this kind of freezing.
    """
    frozen = freezing.frozen_parameters(model.encoder, epoch=epoch)
    if model.writer is None:
        return frozen
    # What is new has no weights that could be kept.
    return frozen | (freezing.frozen_in_writer(model.writer) - set(model.writer.new_parameters()))


def trained_parameters(model: MultiTaskModel, tasks: Sequence[str]) -> dict[str, int]:
    """Returns the part of a model -> its parameters that train now, parts without any left out.

    Args:
        model: The model.
        tasks: Names of its tasks.

    Returns:
        Counts of "encoder.embeddings", "encoder.layer_0" ... ("encoder" where the family is not
        known), "writer", "pooling" and "head.<task>"; adapters count where they stand.
    """
    parts = {
        **dict(_encoder_parts(model.encoder)),
        "writer": [] if model.writer is None else [model.writer],
        "pooling": [model.pooler],
        **{f"head.{task}": [model.head(task)] for task in tasks},
    }
    seen: set[nn.Parameter] = set()
    counts: dict[str, int] = {}
    for name, modules in parts.items():
        # Sets: a parameter counts once, though several modules may hold it.
        own = {p for module in modules for p in module.parameters() if p.requires_grad} - seen
        seen |= own  # A head may share the word embeddings.
        if own:
            counts[name] = sum(parameter.numel() for parameter in own)
    return counts


def describe_encoder(encoder: nn.Module, freezing: Freezing, *, epoch: int) -> str:
    """Returns how much of an encoder, or its outline, trains in an epoch (from 1), in words."""
    size = sum(parameter.numel() for parameter in encoder.parameters())
    with suppress(ConfigError):
        facts_of(encoder)  # Copies have them, and where there are no weights it cannot run.
    # Adapters go into a copy: taken out again, they would leave the encoder's weights frozen. On
    # "meta", as an outline is: to count parameters, no weight is needed.
    adapted = copy.deepcopy(encoder).to("meta")
    with torch.device("meta"):
        freezing.add_adapters(adapted)
    frozen = freezing.frozen_parameters(adapted, epoch=epoch)
    counts = {
        name: sum(p.numel() for module in modules for p in module.parameters() if p not in frozen)
        for name, modules in _encoder_parts(adapted)
    }
    counts = {name: count for name, count in counts.items() if count}
    text = f"{sum(counts.values()):,} parameters train in the encoder of {size:,}"
    return f"{text}{_where(counts)}"


def describe_trained(counts: Mapping[str, int]) -> str:
    """Returns what `trained_parameters` counted as one line."""
    encoder = {n: c for n, c in counts.items() if n.partition(".")[0] == "encoder"}
    parts = [f"encoder {sum(encoder.values()):,}{_where(encoder)}"] if encoder else []
    parts += [f"{name} {count:,}" for name, count in counts.items() if name not in encoder]
    return ", ".join(parts)


def _where(names: Iterable[str]) -> str:
    """Returns " (embeddings, layers 0-5)" for the parts of an encoder."""
    short = [name.removeprefix("encoder.") for name in names]
    layers = [int(name.removeprefix("layer_")) for name in short if name.startswith("layer_")]
    shown = [name for name in short if name not in ("encoder", *(f"layer_{n}" for n in layers))]
    if layers:
        low, high = min(layers), max(layers)
        shown.append(f"layers {low}-{high}" if high > low else f"layer {low}")
    return f" ({', '.join(shown)})" if shown else ""


def _encoder_parts(encoder: nn.Module) -> Iterator[tuple[str, Sequence[nn.Module]]]:
    try:
        parts = encoder_parts(encoder)
    except ConfigError:
        yield "encoder", [encoder]
        return
    yield "encoder.embeddings", parts.below
    for number, layer in enumerate(parts.layers):
        yield f"encoder.layer_{number}", [layer]
    if parts.above:
        yield "encoder.norm", parts.above
