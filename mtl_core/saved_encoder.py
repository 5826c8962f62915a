"""The backbone of a saved model, in the layout in which Transformers itself writes and reads it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from mtl_core.errors import ConfigError
from mtl_core.model._transformers import LOADING
from mtl_core.model._transformers_imports import import_modeling
from mtl_core.model.backbones.base import Backbone, names_in, place_in
from mtl_core.model.bounds import at_most, check_depth, check_finite, check_fits
from mtl_core.model.writers.generating import ends_of_texts
from mtl_core.model_folder import CONFIG, GENERATION, WEIGHTS
from mtl_core.printable import one_line, quoted
from mtl_core.untrusted import (
    MOST_BESIDE,
    check_numbers,
    largest_number,
    read_settings,
)
from mtl_core.weight_sizes import WeightSizes, read_sizes

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_ONE_FILE = 2**62
"""Bytes of a file of weights: never several, whatever the size."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Where Transformers keeps what a backbone uses of a model.

    Attributes:
        whole: The model that Transformers makes of its configuration, without weights.
        kept: The part that is used: the whole itself, or its encoder.
        inside: What precedes the names of that part in the whole; "" = it is the whole.
        names: Names of its weights in the whole.
    """

    whole: "PreTrainedModel"
    kept: "PreTrainedModel"
    inside: str
    names: frozenset[str]


def outline_of(backbone: Backbone, config: "PreTrainedConfig") -> Outline:
    """Returns where the backbone of a configuration is kept.

    Raises:
        Exception: Transformers cannot build one of this configuration, with errors of many kinds.
    """
    with torch.device("meta"):
        whole = backbone.auto_class().from_config(config, trust_remote_code=False)
    kept = backbone.kept(whole)
    return Outline(whole, kept, place_in(whole, kept), names_in(whole, kept))


def write_backbone(folder: Path, backbone: Backbone, kept: "PreTrainedModel") -> None:
    """Writes configuration and weights as the classes of Transformers find them.

    Args:
        folder: Folder of the model.
        backbone: How it was loaded.
        kept: What was loaded, without adapters.
    """
    outline = outline_of(backbone, kept.config)
    # Of an encoder-decoder the encoder alone may be used; its names are those in the whole.
    weights = {f"{outline.inside}{name}": value for name, value in kept.state_dict().items()}
    if kept.can_generate():
        # How its texts begin and end, which no configuration says.
        outline.whole.generation_config = ends_of_texts(kept.generation_config)
    with _quiet_transformers():
        outline.whole.save_pretrained(folder, state_dict=weights, max_shard_size=_ONE_FILE)


def read_backbone(folder: Path, backbone: Backbone) -> "PreTrainedModel":
    """Returns what a backbone uses, with its weights, on the CPU, in single precision.

    Nothing is built that is larger than the weights in the folder.

    Args:
        folder: Folder of the model, whose weights are known to be a file of safetensors.
        backbone: How it was loaded when it was trained.

    Raises:
        ConfigError: The configuration is broken, or the weights are not those of a model of this
            configuration.
    """
    import_modeling()
    path, sizes = folder / CONFIG, read_sizes(folder / WEIGHTS)
    outline = _read_outline(path, sizes, backbone)
    with reading(folder / WEIGHTS), _quiet_transformers(), LOADING:
        # From these weights alone: given the folder, it would look for other files in it as well.
        model, found = type(outline.whole).from_pretrained(
            None,
            config=outline.whole.config,
            state_dict=load_file(folder / WEIGHTS),
            dtype=torch.float32,
            output_loading_info=True,
        )
    # A weight that is missing would stay random without anybody noticing. Some that only the whole
    # has, such as a layer behind `pooler_output`, are never read.
    missing = sorted(outline.names & found["missing_keys"])
    unexpected = sorted(found["unexpected_keys"])
    if missing or unexpected:
        said = f"it lacks {quoted(missing[0])}" if missing else f"found {quoted(unexpected[0])}"
        raise ConfigError(f"{folder}: {WEIGHTS} does not fit {CONFIG}: {said}")
    kept = backbone.kept(model)
    check_finite(kept, where=str(folder / WEIGHTS))
    # Files of models that came over the hub may lack it, and its part in `config.json` be enough.
    if kept.can_generate() and (folder / GENERATION).is_file():
        with reading(folder / GENERATION):
            settings = type(kept.generation_config)(**read_settings(folder / GENERATION))
        kept.generation_config = ends_of_texts(settings)
    return kept


def _read_outline(path: Path, sizes: WeightSizes, backbone: Backbone) -> Outline:
    """Returns where the backbone of a configuration is kept, if that is as large as the weights."""
    from transformers import AutoConfig

    settings = read_settings(path)
    check_numbers(settings, most=max(sizes.largest, MOST_BESIDE), where=str(path))
    with reading(path), _quiet_transformers():
        config = AutoConfig.from_pretrained(path.parent, trust_remote_code=False)
        check_depth(config, sizes, where=str(path))
        with at_most(sizes, asked_by=f"{path}: {largest_number(settings)}"):
            outline = outline_of(backbone, config)
        check_fits(outline.kept, sizes, where=str(path))
    return outline


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns any error of reading a file of a model into a `ConfigError` of one line."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # Broken files end in errors of any kind, from several libraries.
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"{path}: cannot be used: {type(error).__name__}: {one_line(reason)}"
        ) from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keeps Transformers from bars, warnings, and a table of weights that nothing here reads."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
