"""The kind `encoder_decoder`: a sequence-to-sequence model; its encoder serves label tasks, too."""

from typing import TYPE_CHECKING, Any, Literal

from mtl_core.model.backbones.base import Backbone
from mtl_core.model.backbones.encoder import token_encoder
from mtl_core.model.probe import EncoderFacts
from mtl_core.model.writers.cross import CrossWriter

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class EncoderDecoder(Backbone):
    """An encoder and a decoder that looks at it, such as T5, BART, Marian or BERT2BERT."""

    kind: Literal["encoder_decoder"] = "encoder_decoder"
    """A sequence-to-sequence model."""

    @property
    def writes(self) -> bool:
        """Whether it has a writer: its decoder."""
        return True

    @property
    def looks_ahead(self) -> bool:
        """Whether sub-words see those behind them."""
        return True

    def longest_target(self, facts: EncoderFacts) -> int | None:
        """Returns the positions of the decoder; T5, for instance, has none."""
        decoder = self.configuration().get_text_config(decoder=True)
        return getattr(decoder, "max_position_embeddings", None)

    def auto_class(self) -> Any:
        """Returns `AutoModelForSeq2SeqLM`."""
        from transformers import AutoModelForSeq2SeqLM

        return AutoModelForSeq2SeqLM

    def kept(self, whole: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the whole, all of which is used.

        Raises:
            ValueError: Its encoder cannot run by itself.
        """
        token_encoder(whole)
        return whole

    def encoder_of(self, kept: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the encoder."""
        return token_encoder(kept)

    def writer_of(
        self, kept: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
    ) -> CrossWriter:
        """Returns the decoder with its output layer."""
        return CrossWriter(kept, self.encoder_of(kept), tokenizer)
