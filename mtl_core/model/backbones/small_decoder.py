"""A small decoder for an encoder that has none: both become an encoder-decoder of Transformers."""

import copy
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model._transformers import without_weights
from mtl_core.model.probe import EncoderFacts, facts_of
from mtl_core.model.writers.cross import CrossWriter
from mtl_core.section import Section

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_CROSS = ".crossattention."
"""What stands in the names of weights that look at an encoder, in all families that have some."""
_POSITIONS = 512
"""Sub-words that a decoder with new weights can write at most."""
_PER_HEAD = 32
"""Width of an attention head of a decoder with new weights, where the encoder has no even split."""


class SmallDecoder(Section):
    """A decoder that looks at the encoder's states, for tasks that write."""

    layers: int = Field(default=2, ge=1)
    """How many layers it has."""
    init: Literal["encoder", "random"] = "encoder"
    """What its layers and word embeddings begin with: copies of the encoder's, or new weights.

    What looks at the encoder (cross attention) is new in both. Rothe et al. 2020,
    https://arxiv.org/abs/1907.12461; of fewer layers than the encoder has, they are copied at even
    distances, the lowest and the top one among them (Shleifer and Rush 2020,
    https://arxiv.org/abs/2010.13002).
    """

    def build(
        self, encoder: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
    ) -> CrossWriter:
        """Returns a new decoder for an encoder; what is not copied is drawn from torch's generator.

        Args:
            encoder: The encoder.
            tokenizer: Its tokenizer, whose special tokens begin and end what is written.

        Raises:
            ConfigError: The tokenizer has no such tokens, or the encoder's layers cannot be those
                of a decoder.
        """
        from transformers import AutoModelForCausalLM

        decoder = AutoModelForCausalLM.from_config(self._configuration(encoder))
        copied = _copy_layers(encoder, decoder) if self.init == "encoder" else set()
        whole = _joined(encoder, decoder, tokenizer)
        new = [weight for name, weight in decoder.named_parameters() if name not in copied]
        return CrossWriter(whole, encoder, tokenizer, new=new)

    def check(self, encoder: nn.Module, tokenizer: "PreTrainedTokenizerFast") -> None:
        """Refuses what `build` would refuse; the encoder may be an outline.

        Raises:
            ConfigError: The tokenizer has no such tokens, or the encoder's layers cannot be those
                of a decoder.
        """
        _special_tokens(tokenizer)
        self._configuration(encoder)

    def longest_target(self, facts: EncoderFacts) -> int | None:
        """Returns how many sub-words it can write; None = any number."""
        # Copied layers come with the encoder's embeddings, those of positions among them.
        return facts.positions if self.init == "encoder" else _POSITIONS

    def _configuration(self, encoder: nn.Module) -> "PreTrainedConfig":
        if self.init == "encoder":
            return _like(encoder, self.layers)
        return _new(encoder, self.layers)


def _joined(
    encoder: "PreTrainedModel", decoder: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"
) -> "PreTrainedModel":
    """Returns encoder and decoder as one model of Transformers, whose parts they become."""
    from transformers import EncoderDecoderConfig, EncoderDecoderModel

    start, end, padding = _special_tokens(tokenizer)
    tokens = {"decoder_start_token_id": start, "eos_token_id": end, "pad_token_id": padding}
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        encoder.config, decoder.config, **tokens
    )
    own_config = encoder.config
    # Without: it would draw anew what has taken the place of a module of the encoder, such as its
    # word embeddings.
    with without_weights():
        whole = EncoderDecoderModel(config=config, encoder=encoder, decoder=decoder)
    # It was given an equal copy, which its layers do not see: they would not learn of another
    # attention.
    encoder.config = own_config
    for name, token in tokens.items():
        setattr(whole.generation_config, name, token)
    return whole


def _special_tokens(tokenizer: "PreTrainedTokenizerFast") -> tuple[int, int, int]:
    """Returns the tokens that begin a text, end one, and stand for padding."""
    start = _first(tokenizer.cls_token_id, tokenizer.bos_token_id)
    end = _first(tokenizer.sep_token_id, tokenizer.eos_token_id)
    if start is None or end is None:
        lacks = "begins" if start is None else "ends"
        raise ConfigError(
            f"run.encoder.decoder: the tokenizer has no special token that {lacks} a text "
            "(cls_token or bos_token, sep_token or eos_token), so nothing can be written"
        )
    return start, end, tokenizer.pad_token_id or 0


def _first(*found: int | None) -> int | None:
    return next((one for one in found if one is not None), None)


def _like(encoder: nn.Module, layers: int) -> "PreTrainedConfig":
    """Returns the configuration of a decoder whose layers are those of an encoder, and more.

    Raises:
        ConfigError: The encoder has fewer layers, or Transformers has no such decoder.
    """
    config: Any = copy.deepcopy(encoder.config)
    depth = config.num_hidden_layers
    if layers > depth:
        raise ConfigError(
            f"run.encoder.decoder.layers: expected at most {depth}, the layers of the encoder; "
            f"found {layers}"
        )
    config.is_decoder = config.add_cross_attention = True
    config.num_hidden_layers = layers
    if not _looks_across(config):
        raise ConfigError(
            f"run.encoder.decoder.init: Transformers has no decoder with cross attention of the "
            f"family '{config.model_type}', so the encoder's layers cannot be copied; use random"
        )
    return config


def _looks_across(config: "PreTrainedConfig") -> bool:
    """Returns whether there is a decoder of a configuration that looks at an encoder."""
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    # Looked up first: of a family that is not there `from_config` says all names, for which it
    # imports every one of them.
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return False
    with torch.device("meta"):
        decoder = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return any(_CROSS in name for name, _ in decoder.named_parameters())


def _new(encoder: nn.Module, layers: int) -> "PreTrainedConfig":
    """Returns the configuration of a BERT decoder as wide as the encoder."""
    from transformers import BertConfig

    facts = facts_of(encoder)
    config: Any = encoder.config
    heads = getattr(config, "num_attention_heads", None)
    if not isinstance(heads, int) or facts.width % heads:
        heads = next(
            n for n in range(max(1, facts.width // _PER_HEAD), 0, -1) if not facts.width % n
        )
    return BertConfig(
        vocab_size=facts.words or config.vocab_size,
        hidden_size=facts.width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * facts.width,
        max_position_embeddings=_POSITIONS,
        pad_token_id=config.pad_token_id,
        is_decoder=True,
        add_cross_attention=True,
    )


def _copy_layers(encoder: "PreTrainedModel", decoder: "PreTrainedModel") -> set[str]:
    """Copies the encoder's embeddings and some of its layers into a decoder of its family.

    Returns:
        The names of what was copied, in the decoder.
    """
    base, weights = decoder.base_model, encoder.state_dict()
    stack = facts_of(encoder).layers  # The name of the list; a decoder of the family has it, too.
    target, depth = len(base.get_submodule(stack)), len(encoder.get_submodule(stack))
    # From the lowest to the top one; a single layer is the lowest, which reads the embeddings.
    picked = torch.linspace(0, depth - 1, target).round().int().tolist()
    copied = set()
    with torch.no_grad():
        for name, weight in base.named_parameters():
            source = name
            if name.startswith(f"{stack}."):
                number, _, inner = name.removeprefix(f"{stack}.").partition(".")
                source = f"{stack}.{picked[int(number)]}.{inner}"
            if source in weights:  # All but cross attention.
                weight.copy_(weights[source])
                copied.add(f"{decoder.base_model_prefix}.{name}")
    return copied
