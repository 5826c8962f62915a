"""Adapters saved alone, in peft's own format, with the name of the base that they belong to.

The base is loaded as that of any run is: nothing of it is code, and it has to hold the very weights
that the adapters were trained on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.adapters import Adapters
from mtl_core.model.backbones.base import Backbone
from mtl_core.model.bounds import at_most, check_finite
from mtl_core.model.freezing import Freezing
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.weights_hash import weights_hash
from mtl_core.model_folder import ADAPTERS, META, RUN
from mtl_core.saved_encoder import outline_of, reading
from mtl_core.weight_sizes import WeightSizes, read_sizes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_PEFT = "base_model.model."
"""What peft's names begin with, before the name in the whole model."""
_ADAPTER = ".lora_"
_TASKS = {"AutoModelForCausalLM": "CAUSAL_LM", "AutoModelForSeq2SeqLM": "SEQ_2_SEQ_LM"}
"""Class of Transformers -> what peft calls its task."""


def write_adapters(
    folder: Path, backbone: Backbone, model: MultiTaskModel, adapters: Adapters
) -> None:
    """Writes adapters as peft finds them on the model that Transformers makes of the base.

    Args:
        folder: Folder of the model.
        backbone: How the base was loaded.
        model: The model with the adapters in it.
        adapters: The adapters.
    """
    inside = outline_of(backbone, model.whole.config).inside
    names = {own: f"{inside}{name}" for own, name in _names_in_whole(model).items()}
    weights = {}
    for name, value in adapters.weights().items():
        layer, kind, rest = name.partition(_ADAPTER)
        weights[f"{_PEFT}{names[layer]}{kind}{rest}"] = value.cpu().contiguous()
    save_file(weights, folder / ADAPTERS, metadata={"format": "pt"})
    config: Any = adapters.config()
    config.target_modules = {names[layer] for layer in adapters.layers}
    # A package is known to peft by the name that its model has on the hub.
    config.base_model_name_or_path = backbone.public_name() or backbone.name
    config.revision = backbone.revision
    config.task_type = _TASKS.get(backbone.auto_class().__name__, "FEATURE_EXTRACTION")
    config.inference_mode = True
    config.save_pretrained(str(folder))


def read_base(folder: Path, backbone: Backbone, expected: str | None) -> "PreTrainedModel":
    """Returns the base of adapters.

    Args:
        folder: Folder of the model.
        backbone: The base, as the run names it.
        expected: Hash of its weights.

    Raises:
        ConfigError: It cannot be loaded, or has other weights.
    """
    try:
        kept = backbone.load()
    except ConfigError as error:
        raise type(error)(f"{folder}: it holds adapters, whose base is missing: {error}") from error
    if weights_hash(kept.state_dict()) != expected:
        raise ConfigError(
            f"{folder}: its adapters were trained on other weights than '{backbone.name}' has now; "
            f"{META} has the hash of those"
        )
    return kept


def merge_saved(
    folder: Path, backbone: Backbone, freezing: Freezing, model: MultiTaskModel
) -> None:
    """Adds the adapters of a folder to the weights of their base.

    Args:
        folder: Folder of the model; its file of adapters is known to be one of safetensors.
        backbone: How the base was loaded.
        freezing: What the adapters are like.
        model: The model on the base, without adapters.

    Raises:
        ConfigError: They do not fit, or the run had none.
    """
    path, sizes = folder / ADAPTERS, read_sizes(folder / ADAPTERS)
    with reading(path):
        inside = outline_of(backbone, model.whole.config).inside
        names = {f"{_PEFT}{inside}{name}": own for own, name in _names_in_whole(model).items()}
        weights = {}
        for name, value in load_file(path).items():
            layer, kind, rest = name.partition(_ADAPTER)
            if layer not in names:
                raise ConfigError(f"{path}: {name}: the base has no layer of this name")
            weights[f"{names[layer]}{kind}{rest}"] = value
        targets = _by_part({name.partition(_ADAPTER)[0] for name in weights}, names.values())
        # The rank is what the run says; it must not make adapters larger than those in the file.
        known = {name: tuple(value.shape) for name, value in model.named_parameters()}
        with at_most(WeightSizes(path, known | dict(sizes.shapes)), asked_by=f"{folder / RUN}"):
            adapters = freezing.add_adapters(model.encoder, model.writer, targets=targets)
        if adapters is None:
            raise ConfigError(f"{folder / RUN}: freezing: this kind has no adapters")
        adapters.load(weights)
        adapters.merge()
    check_finite(model.whole, where=str(path))


def _names_in_whole(model: MultiTaskModel) -> dict[str, str]:
    """Returns name of a layer as `Adapters` has it -> its name in what Transformers knows."""
    # By identity: a writer has the modules of the whole under names of its own.
    there = {module: name for name, module in model.whole.named_modules()}
    parts: dict[str, nn.Module] = {"encoder": model.encoder}
    if model.writer is not None:
        parts["decoder"] = model.writer
    return {
        f"{part}.{name}": there[module]
        for part, root in parts.items()
        for name, module in root.named_modules()
        if module in there
    }


def _by_part(layers: set[str], order: Any) -> Mapping[str, list[str]]:
    """Returns "encoder", "decoder" -> names of layers there, in the order of the model."""
    chosen = [name.partition(".") for name in order if name in layers]
    return {
        wanted: [name for part, _, name in chosen if part == wanted]
        for wanted in ("encoder", "decoder")
    }
