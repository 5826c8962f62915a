"""The outline of an encoder: its modules and the shapes of its weights, but no code and no weights.

It is enough to tell what a kind of freezing makes of an encoder. Even an empty encoder imports most
of Transformers, which takes longer than all other checks of a study; so each outline is taken once
and kept.
"""

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from mtl_core.files import locked, write_text
from mtl_core.model.backbones.encoder import empty_encoder, load_configuration
from mtl_core.paths import cache_folder

_FORMAT = 1
"""Counts up when the files change, so that old ones are taken anew."""


def encoder_outline(name: str, *, revision: str | None = None) -> nn.Module:
    """Returns an encoder's modules by their names, with parameters on "meta" and its `config`.

    Linear layers are `nn.Linear`; all others are bare modules, and none can run.

    Raises:
        CacheError: There is no folder to keep it in.
        ConfigError: The encoder's configuration cannot be loaded.
    """
    config = load_configuration(name, revision)
    shaped_by = [_FORMAT, version("transformers"), config.to_dict()]
    key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True, default=str).encode()).hexdigest()
    path = cache_folder() / "outlines" / f"{key}.json"
    try:
        outline = from_outline(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # None yet, or a broken one.
        found = take_outline(empty_encoder(config, name))
        with suppress(OSError):  # A cache that cannot be written costs the time again, no more.
            path.parent.mkdir(exist_ok=True)
            with locked(path):
                write_text(path, json.dumps(found))
        outline = from_outline(found)
    outline.config = config
    return outline


def take_outline(encoder: nn.Module) -> dict[str, Any]:
    """Returns an encoder's outline as plain data: what has several names stands under the first."""
    # With duplicates: what two names share must be one thing again, or tied weights count twice.
    modules: dict[nn.Module, str] = {}
    parameters: dict[nn.Parameter, str] = {}
    return {
        "modules": [
            [name, modules.setdefault(module, name), isinstance(module, nn.Linear)]
            for name, module in encoder.named_modules(remove_duplicate=False)
        ],
        "parameters": [
            [name, parameters.setdefault(parameter, name), list(parameter.shape)]
            for name, parameter in encoder.named_parameters(remove_duplicate=False)
        ],
    }


def from_outline(outline: dict[str, Any]) -> nn.Module:
    """Returns the modules of an outline; a broken one raises any of Python's own errors."""
    modules: dict[str, nn.Module] = {}
    for name, first, is_linear in outline["modules"]:
        made = nn.Linear(1, 1, bias=False, device="meta") if is_linear else nn.Module()
        # Parents come before children, so the place to put it into is there.
        modules[name] = modules.get(first, made)
        if name:
            parent, _, last = name.rpartition(".")
            modules[parent].add_module(last, modules[name])
    parameters: dict[str, nn.Parameter] = {}
    for name, first, shape in outline["parameters"]:
        made_parameter = nn.Parameter(torch.empty(shape, device="meta"))
        parameters[name] = parameters.get(first, made_parameter)
        parent, _, last = name.rpartition(".")
        module = modules[parent]
        module.register_parameter(last, parameters[name])
        if isinstance(module, nn.Linear) and last == "weight":
            module.out_features, module.in_features = shape
    return modules[""]
