"""Targets of adapters: which linear layers of a model get some, by what is said of them."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Literal

from torch import nn

from mtl_core.errors import ConfigError, did_you_mean

Group = Literal["all", "attention", "ffn"]
"""All linear layers; of the transformer layers those of their attention, or all but those."""
Targets = Group | str | Sequence[str]
"""A group, a regular expression for whole names, or ends of names."""

_KEY = "run.freezing.targets"
_ATTENTION = re.compile("attn|attention", re.IGNORECASE)
"""What every family calls the module of its attention, or the list of them."""
_IN_LAYER = re.compile(r"\.\d+\.")
"""A place in a list of layers, within a name."""


def linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Returns name -> linear layer; GPT-2 and GPT have theirs as Transformers' `Conv1D`."""
    from transformers.pytorch_utils import Conv1D

    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    }


def is_in_layer(name: str) -> bool:
    """Returns whether a module of this name stands in a list of layers."""
    return _IN_LAYER.search(name) is not None


def find_targets(
    encoder: nn.Module,
    targets: Targets,
    *,
    without: Collection[nn.Module] = (),
    decoder: Collection[str] = (),
) -> dict[str, list[str]]:
    """Returns "encoder", "decoder" -> full names of its linear layers that get adapters.

    Args:
        encoder: The encoder; its weights may be on "meta".
        targets: What is said of them.
        without: Modules of it in which nothing gets adapters.
        decoder: Names of a decoder's linear layers that may get some, too.

    Raises:
        ConfigError: There are no linear layers, or none, outside of `without`, that is meant.
    """
    linear = linear_layers(encoder)
    if not linear:  # SqueezeBERT and CANINE have convolutions in their place.
        raise ConfigError("run.freezing.kind: this encoder has no linear layers for adapters")
    left_out = {inner for module in without for inner in module.modules()}
    names = [name for name, module in linear.items() if module not in left_out]
    every = [*names, *decoder]
    wanted = _wanted(targets)
    for told, means in wanted.items():
        if not any(means(name) for name in every):
            raise _refusal(targets, told, list(linear), every)
    return {
        part: [name for name in own if any(means(name) for means in wanted.values())]
        for part, own in (("encoder", names), ("decoder", decoder))
    }


def _wanted(targets: Targets) -> Mapping[str, Callable[[str], bool]]:
    """Returns what is said of targets, part by part -> whether it means a name."""
    groups: dict[str, Callable[[str], bool]] = {
        "all": lambda name: True,
        # What stands outside of the layers (a projection of the embeddings) is neither of the two.
        "attention": lambda name: is_in_layer(name) and _is_attention(name),
        "ffn": lambda name: is_in_layer(name) and not _is_attention(name),
    }
    if isinstance(targets, str):
        means = groups.get(targets) or partial(_matches, targets)
        return {targets: means}
    return {end: partial(_ends_with, end) for end in targets}


def _is_attention(name: str) -> bool:
    return _ATTENTION.search(name.rpartition(".")[0]) is not None


def _matches(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name) is not None


def _ends_with(end: str, name: str) -> bool:
    # Whole parts of a name, so that "query" does not take in "subquery".
    return f".{name}".endswith(f".{end}")


def _refusal(targets: Targets, told: str, linear: list[str], names: list[str]) -> ConfigError:
    """Returns the error of a target that means no layer.

    Args:
        targets: All that was said.
        told: The part of it that means none.
        linear: All linear layers of the encoder.
        names: Those that may get adapters.
    """
    ends = _last_parts(linear)
    if told in ("all", "attention", "ffn"):  # XLNet's attention is made of parameters alone.
        return ConfigError(
            f"{_KEY}: this encoder has no linear layers of the group '{told}'; linear layers: "
            f"{', '.join(_last_parts(names)) or 'none'}"
        )
    if isinstance(targets, str):
        return ConfigError(
            f"{_KEY}: no linear layer's whole name, such as '{linear[0]}', matches the regular "
            f"expression '{told}'; expected all, attention, ffn, a regular expression, or a list "
            f"of ends of names: {', '.join(ends)}."
            f"{did_you_mean(told, ['all', 'attention', 'ffn', *ends])}"
        )
    is_below = any(_ends_with(told, name) for name in linear)
    where = " from this layer on" if is_below else ""
    return ConfigError(
        f"{_KEY}: the encoder has{where} no linear layer '{told}'; linear layers: "
        f"{', '.join(ends)}.{did_you_mean(told, ends)}"
    )


def _last_parts(names: Collection[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))
