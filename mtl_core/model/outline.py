"""The outline of an encoder: its modules, the shapes of its weights, and what running it has shown.

There is no code and there are no weights in it. It is enough to tell what a kind of freezing makes
of an encoder, and what rows it takes. Even an empty encoder imports most of Transformers, which
takes longer than all other checks of a study; so each outline is taken once and kept.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mtl_core.checks import DamagedError, checked_json, read_checked
from mtl_core.data.layouts.base import Layout
from mtl_core.errors import ConfigError, StorageError
from mtl_core.files import locked, remove, write_text
from mtl_core.model.backbones.base import Backbone
from mtl_core.model.backbones.source import Source
from mtl_core.model.probe import EncoderFacts, facts_of, keep_facts, longest_row, try_training
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

_FORMAT = 7
"""Counts up when the files change, so that old ones are taken anew."""
_NO_LIMIT = 2**30
"""Tokenizers without a limit of their own name a larger number."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of an encoder without its weights.

    Attributes:
        encoder: Its modules by their names, with parameters on "meta" and its `config`. Linear
            layers are what they are; all others are bare modules, and none can run.
        facts: What it takes and gives.
        longest: Sub-words of the longest row that it takes; None = any number.
    """

    encoder: nn.Module
    facts: EncoderFacts
    longest: int | None


def encoder_outline(backbone: Backbone) -> Outline:
    """Returns the outline of a backbone's encoder, which is run when there is none in the cache.

    Raises:
        CacheError: There is no folder to keep it in.
        ConfigError: The encoder's configuration cannot be loaded, or the encoder does not run on
            texts, or cannot be trained on them.
    """
    source, config = backbone.source(), backbone.configuration()
    shaped_by = [_FORMAT, backbone.kind, version("transformers"), config.to_dict()]
    key = hashlib.sha256(json.dumps(shaped_by, sort_keys=True, default=str).encode()).hexdigest()
    path = cache_folder() / "outlines" / f"{key}.json"
    found = _kept(path)
    if found is None:
        found = _take(backbone, config, source)
        with suppress(OSError, StorageError):  # It costs the time again, no more.
            path.parent.mkdir(exist_ok=True)
            with locked(path):
                remove(path)
                write_text(path, checked_json(found))
    outline = _from_json(found)
    source.check_fits(outline.encoder)  # Weights may have changed since.
    outline.encoder.config = config
    return outline


def _kept(path: Path) -> dict[str, Any] | None:
    """Returns the outline in a file of the cache; None = there is none, or it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        found: dict[str, Any] = read_checked(path)
    except DamagedError as error:
        logger.warning("%s: damaged: %s; the outline is taken again", path, error)
        return None
    return found


def longest_input(tokenizer: "PreTrainedTokenizerFast", backbone: Backbone) -> int:
    """Returns the longest row of a run, in sub-words, special tokens included.

    Raises:
        ConfigError: The encoder does not run, or not on all sub-words of its tokenizer; the study
            file asks for longer rows than it takes; or it gives no length, and nothing names one.
    """
    outline = encoder_outline(backbone)
    _check_words(tokenizer, outline.facts.words, backbone.name)
    backbone.check(outline.encoder, tokenizer)
    # A tokenizer without a limit of its own says 10^30.
    allowed = int(min(outline.longest or _NO_LIMIT, tokenizer.model_max_length))
    if backbone.max_length is not None and backbone.max_length > allowed:
        raise ConfigError(
            f"run.encoder.max_length: expected at most {allowed}, what '{backbone.name}' takes; "
            f"found {backbone.max_length}"
        )
    if backbone.max_length is None and allowed >= _NO_LIMIT:
        raise ConfigError(
            f"run.encoder.max_length: '{backbone.name}' names no longest input; give a number"
        )
    return backbone.max_length or allowed


def check_targets(backbone: Backbone, layouts: Mapping[str, Layout]) -> None:
    """Refuses texts to write that are longer than a decoder beside the encoder has places for.

    Args:
        backbone: The backbone.
        layouts: Data set name -> how its rows are made.

    Raises:
        ConfigError: A data set has some.
    """
    lengths = {name: layout.longest_target for name, layout in layouts.items()}
    if not any(lengths.values()):
        return
    most = backbone.longest_target(encoder_outline(backbone).facts)
    for name, length in lengths.items():
        if most is not None and length is not None and length > most:
            raise ConfigError(
                f"run.tasks: target_length of the task on data set '{name}': expected at most "
                f"{most}, what the decoder of '{backbone.name}' can write; found {length}"
            )


def _check_words(tokenizer: "PreTrainedTokenizerFast", rows: int | None, name: str) -> None:
    """Refuses a tokenizer with sub-words that the encoder has no row for."""
    largest = max(tokenizer.get_vocab().values(), default=0)
    if rows is not None and largest >= rows:
        raise ConfigError(
            f"run.encoder.name: the tokenizer of '{name}' numbers its sub-words up to {largest}, "
            f"but the encoder has word embeddings for {rows} alone, up to {rows - 1}; resize "
            "them (`resize_token_embeddings`), or save the tokenizer that belongs to the encoder"
        )


def _take(backbone: Backbone, config: "PreTrainedConfig", source: Source) -> dict[str, Any]:
    """Runs an encoder of this configuration; returns its outline as plain data."""
    name = source.name
    # First the one that takes no memory: it shows whether the other would take too much.
    with source.bounded("configuration"):
        whole = backbone.empty(config)
    source.check_fits(whole)
    empty, low = backbone.encoder_of(whole), backbone.encoder_of(backbone.low(config))
    facts = facts_of(low)
    try_training(low)
    named = getattr(config, "max_position_embeddings", None)
    # XLNet names -1 where there is no limit.
    longest = longest_row(low, named=named if named and named > 0 else None)
    # A trained model is saved with the configuration of the encoder itself, which for half of an
    # encoder-decoder may be one that nothing can load.
    again = backbone.encoder_of(backbone.empty(whole.config))
    if again.state_dict().keys() != empty.state_dict().keys():
        raise ConfigError(
            f"run.encoder.name: '{name}' could not be loaded again once it was saved: its "
            f"configuration gives a {type(again).__name__} in place of a {type(empty).__name__}"
        )
    return {**take_outline(empty), "facts": asdict(facts), "longest": longest}


def _from_json(found: dict[str, Any]) -> Outline:
    """Returns an outline from plain data."""
    facts = EncoderFacts(**{**found["facts"], "above": tuple(found["facts"]["above"])})
    encoder = from_outline(found)
    return Outline(encoder, keep_facts(encoder, facts), found["longest"])


def take_outline(encoder: nn.Module) -> dict[str, Any]:
    """Returns an encoder's outline as plain data: what has several names stands under the first."""
    # With duplicates: what two names share must be one thing again, or tied weights count twice.
    modules: dict[nn.Module, str] = {}
    parameters: dict[nn.Parameter, str] = {}
    return {
        "modules": [
            [name, modules.setdefault(module, name), _kind_of(module)]
            for name, module in encoder.named_modules(remove_duplicate=False)
        ],
        "parameters": [
            [name, parameters.setdefault(parameter, name), list(parameter.shape)]
            for name, parameter in encoder.named_parameters(remove_duplicate=False)
        ],
    }


def _bare_conv1d() -> nn.Module:
    from transformers.pytorch_utils import Conv1D

    with torch.device("meta"):
        made: nn.Module = Conv1D(1, 1)
    made.register_parameter("bias", None)
    return made


_MADE: Mapping[str, Callable[[], nn.Module]] = {
    "linear": partial(nn.Linear, 1, 1, bias=False, device="meta"),
    "conv1d": _bare_conv1d,
    "": nn.Module,
}
"""Kind of module -> what makes one; of the kinds that adapters are put into, else "". """


def _kind_of(module: nn.Module) -> str:
    if isinstance(module, nn.Linear):
        return "linear"
    return "conv1d" if type(module).__name__ == "Conv1D" else ""


def from_outline(outline: dict[str, Any]) -> nn.Module:
    """Returns the modules of an outline."""
    modules: dict[str, nn.Module] = {}
    for name, first, kind in outline["modules"]:
        made = _MADE[kind]()
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
