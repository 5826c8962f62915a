"""The contract of backbones: what is loaded, which part of it encodes, and which part writes.

A backbone is the pretrained model of a run. Its encoder makes hidden states of sub-words, and is
what all tasks share; its writer, where it has one, makes text of them. One file per kind.
"""

import copy
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field
from torch import nn

from mtl_core.model._transformers import LOADING, without_weights
from mtl_core.model._transformers_imports import import_modeling
from mtl_core.model.backbones.origin import Origin
from mtl_core.model.backbones.source import check_published, loading
from mtl_core.model.bounds import check_finite
from mtl_core.model.pooling import Normalization, Pooler, PoolingKind
from mtl_core.model.probe import EncoderFacts
from mtl_core.model_folder import CONFIG, WEIGHTS
from mtl_core.printable import quoted
from mtl_core.tasks.writer import Writer

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast


class Backbone(Origin, ABC):
    """The settings that all kinds share, and how a model is loaded by them.

    Of what Transformers makes (`auto_class`) a part is kept (`kept`): it is loaded, trained and
    saved. `encoder_of` and `writer_of` find its two parts.
    """

    pooling: PoolingKind = "mean"
    """Sentence vector: hidden state of the first or last token, or mean, max or learnt mean over
    all."""
    normalize: Normalization = "none"
    """Scales sentence vectors to length 1: `l1` (sum of absolute values) or `l2` (Euclidean)."""
    max_length: int | None = Field(default=None, ge=8)
    """Longest sentence in sub-words, special tokens included; null = what the encoder takes."""

    reads_targets: ClassVar[bool] = False
    """Whether source and target stand in one row for it; see `Writer.reads_targets`."""

    @property
    @abstractmethod
    def writes(self) -> bool:
        """Whether it has a writer."""

    @property
    def adds_writer(self) -> bool:
        """Whether the writer is a new one, which the section asks for."""
        return False

    @property
    @abstractmethod
    def looks_ahead(self) -> bool:
        """Whether sub-words see those behind them, in batches of tasks that do not write."""

    @property
    def layers_ahead(self) -> int:
        """How many of the highest layers of a decoder look ahead in such batches; 0 = none."""
        return 0

    @abstractmethod
    def auto_class(self) -> Any:
        """Returns the class of Transformers that makes the whole, such as `AutoModel`."""

    @abstractmethod
    def kept(self, whole: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the part of the whole that is used: the whole itself, where all of it is.

        Raises:
            ValueError: It cannot be used.
        """

    @abstractmethod
    def encoder_of(self, kept: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the part of what is kept that makes hidden states of sub-words."""

    @abstractmethod
    def writer_of(
        self, kept: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
    ) -> Writer | None:
        """Returns a new writer on the model; None where it has none.

        What it has to draw comes from torch's global generator.
        """

    @property
    def loaded_by(self) -> str:
        """All settings that shape what is loaded, as JSON."""
        return self.model_dump_json(exclude={"pooling", "normalize", "max_length"})

    def check(self, encoder: nn.Module, tokenizer: "PreTrainedTokenizerFast") -> None:
        """Refuses settings that an encoder or its tokenizer does not allow.

        Args:
            encoder: The encoder, or its outline.
            tokenizer: Its tokenizer.

        Raises:
            ConfigError: A setting is not allowed.
        """

    def longest_target(self, facts: EncoderFacts) -> int | None:
        """Returns how many sub-words a decoder beside the encoder can write; None = any number.

        Args:
            facts: Those of the encoder.
        """
        return None

    def load(self) -> "PreTrainedModel":
        """Loads what is kept, with its weights, in single precision.

        Raises:
            ConfigError: It cannot be loaded.
        """
        import_modeling()
        import torch
        import transformers
        from transformers.utils import find_adapter_config_file

        if self.weights == "random":
            return self._drawn()
        source = self.source()
        check_published(self.name)
        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        with source.bounded("weights"):
            revision = self.revision or "main"
            if find_adapter_config_file(source.place, revision=revision) is not None:
                raise ValueError(
                    "there is an adapter_config.json beside them, of weights that would be added "
                    "from another place; merge the adapter into the encoder first"
                )
            # Also weights that are stored as half precision; autocast does the rest. The
            # configuration, which is saved with a trained model, then says so too.
            with LOADING:
                whole, found = self.auto_class().from_pretrained(
                    source.place,
                    revision=revision,
                    trust_remote_code=False,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
            kept = self.kept(whole)
            source.check_fits(kept)
            _check_read(found["missing_keys"] & names_in(whole, kept))
            check_finite(kept, where=WEIGHTS)
        return kept

    def empty(self, config: "PreTrainedConfig") -> "PreTrainedModel":
        """Returns what is kept without weights, on torch's device "meta".

        Raises:
            ConfigError: Transformers cannot build one of this configuration.
        """
        import_modeling()
        import torch

        with loading("configuration", self.name), torch.device("meta"):
            return self._of(config)

    def low(self, config: "PreTrainedConfig") -> "PreTrainedModel":
        """Returns what is kept with two layers, able to run; its weights are whatever memory held.

        Two, so that it runs in a moment; of families that cannot be cut like this it has all.

        Raises:
            ConfigError: Transformers cannot build one of this configuration.
        """
        import_modeling()
        with loading("configuration", self.name), without_weights():
            low = copy.deepcopy(config)
            with suppress(Exception):  # Other settings may have to fit the number of layers.
                low.num_hidden_layers = min(2, config.num_hidden_layers)
                return self._of(low)
            return self._of(config)

    def pooler(self, width: int) -> Pooler:
        """Returns what makes sentence vectors of hidden states of this width."""
        return Pooler(self.pooling, width, self.normalize)

    def _drawn(self) -> "PreTrainedModel":
        """Returns what is kept with random weights, the same in every run and process."""
        import torch

        config = self.configuration()
        with loading("configuration", self.name), LOADING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self._of(config)

    def _of(self, config: "PreTrainedConfig") -> "PreTrainedModel":
        return self.kept(self.auto_class().from_config(config, trust_remote_code=False))


def without_extras(model: "PreTrainedModel") -> "PreTrainedModel":
    """Returns a model that gives hidden states and nothing beside them.

    The layer behind `pooler_output` goes: nothing here reads it, so it must not be trained.
    """
    from torch import nn

    # A configuration may ask for more outputs, or for a tuple of them; nothing here reads those.
    model.config.output_attentions = model.config.output_hidden_states = False
    model.config.return_dict = True
    if getattr(model, "pooler", None) is not None:
        # Not None: some families call it without looking.
        model.pooler = nn.Identity()
    return model


def _check_read(missing: set[str]) -> None:
    """Refuses weights that lack some: they would be drawn anew without anybody noticing."""
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"they lack {quoted(min(missing))}{more}, of which {CONFIG} speaks")


def names_in(whole: "PreTrainedModel", part: "PreTrainedModel") -> frozenset[str]:
    """Returns the names that the weights of a model have in the whole that it is a part of."""
    inside = place_in(whole, part)
    return frozenset(f"{inside}{name}" for name in part.state_dict())


def place_in(whole: "PreTrainedModel", part: "PreTrainedModel") -> str:
    """Returns what precedes the names of a part in the whole; "" where it is the whole."""
    name = next(name for name, module in whole.named_modules() if module is part)
    return f"{name}." if name else ""
