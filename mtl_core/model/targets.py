"""Targets of adapters: which linear layers of a model get some, by what is said of them."""

import re
from collections.abc import Collection, Sequence
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


def find_targets(
    model: nn.Module, targets: Targets, *, without: Collection[nn.Module] = ()
) -> list[str]:
    """Returns the full names of the linear layers that get adapters, in the model's order.

    Args:
        model: The encoder, or another part of a model; its weights may be on "meta".
        targets: What is said of them.
        without: Modules in which nothing gets adapters.

    Raises:
        ConfigError: There are no linear layers, or none, outside of `without`, that is meant.
    """
    linear = linear_layers(model)
    if not linear:  # SqueezeBERT and CANINE have convolutions in their place.
        raise ConfigError("run.freezing.kind: this encoder has no linear layers for adapters")
    left_out = {inner for module in without for inner in module.modules()}
    names = [name for name, module in linear.items() if module not in left_out]
    if isinstance(targets, str):
        found = _in_group(names, targets)
        if found is None:
            found = _matching(names, targets, linear)
        return found
    # Whole parts of a name, so that "query" does not take in "subquery".
    ends = {target: {name for name in names if f".{name}".endswith(f".{target}")}
            for target in targets}  # fmt: skip
    for target, ending in ends.items():
        if not ending:
            raise ConfigError(
                f"{_KEY}: {_none_of(linear, names)} '{target}'; linear layers: "
                f"{_told(linear)}.{did_you_mean(target, _last_parts(linear))}"
            )
    # Each once, where several targets name the same layer.
    return [name for name in names if any(name in ending for ending in ends.values())]


def _in_group(names: Sequence[str], group: str) -> list[str] | None:
    """Returns the names of a group; None = the text names none."""
    # What stands outside of the layers (a projection of the embeddings) is neither of the two.
    in_layers = [name for name in names if _IN_LAYER.search(name)]
    attention = [name for name in in_layers if _ATTENTION.search(name.rpartition(".")[0])]
    groups = {
        "all": list(names),
        "attention": attention,
        "ffn": [name for name in in_layers if name not in attention],
    }
    found = groups.get(group)
    if found == []:  # XLNet's attention is made of parameters alone.
        raise ConfigError(
            f"{_KEY}: this encoder has no linear layers of the group '{group}'; linear layers: "
            f"{', '.join(_last_parts(names)) or 'none'}"
        )
    return found


def _matching(names: Sequence[str], pattern: str, linear: Collection[str]) -> list[str]:
    found = [name for name in names if re.fullmatch(pattern, name)]
    if not found:
        example = next(iter(linear))
        raise ConfigError(
            f"{_KEY}: no linear layer's whole name, such as '{example}', matches the regular "
            f"expression '{pattern}'; expected all, attention, ffn, a regular expression, or a "
            f"list of ends of names: {_told(linear)}."
            f"{did_you_mean(pattern, ['all', 'attention', 'ffn', *_last_parts(linear)])}"
        )
    return found


def _none_of(linear: Collection[str], names: Collection[str]) -> str:
    above = "" if len(names) == len(linear) else " from this layer on"
    return f"the encoder has{above} no linear layer"


def _last_parts(names: Collection[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))


def _told(linear: Collection[str]) -> str:
    return ", ".join(_last_parts(linear))
