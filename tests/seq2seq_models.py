"""Small random sequence-to-sequence models of several families."""

from pathlib import Path

import torch
from conftest import save_tokenizer
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    BertConfig,
    EncoderDecoderConfig,
    PreTrainedModel,
)
from transformers.utils import logging

from mtl_core.data.example import Example

_BART: dict[str, object] = {
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "decoder_start_token_id": 3,
    "forced_eos_token_id": None,
}
_T5: dict[str, object] = {
    "d_model": 24,
    "d_kv": 12,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 2,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "decoder_start_token_id": 0,
}
_BERT: dict[str, object] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}

FAMILIES: dict[str, dict[str, object]] = {
    "bart": _BART,
    "blenderbot": _BART,
    "m2m_100": _BART,
    "marian": _BART | {"decoder_start_token_id": 0},
    "mbart": _BART,
    "pegasus": _BART,
    "encoder-decoder": {},
    "t5": _T5,
    "mt5": _T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}
"""Families that write: `model_type` -> settings of a small one; BERT2BERT is "encoder-decoder"."""


def tiny_seq2seq(family: str, *, vocabulary: int = 60, **settings: object) -> PreTrainedModel:
    """Returns a model with an output layer, in evaluation mode; its end token is 3."""
    torch.manual_seed(0)
    if family == "encoder-decoder":
        sizes = _BERT | {"vocab_size": vocabulary}
        decoder = BertConfig(**sizes, is_decoder=True, add_cross_attention=True)
        config = EncoderDecoderConfig.from_encoder_decoder_configs(BertConfig(**sizes), decoder)
        config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = 2, 3, 0
    else:
        sizes = FAMILIES[family] | {"vocab_size": vocabulary} | settings
        config = AutoConfig.for_model(family, **sizes)
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    # Its first output layer is so small that it knows no favourite: what it writes says more.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0 if parameter.ndim > 1 else 1.0)
    return model


def save_seq2seq(folder: Path, family: str, examples: list[Example], **settings: object) -> None:
    """Saves a random model of a family with a tokenizer for the words of examples."""
    logging.disable_progress_bar()
    size = save_tokenizer(folder, examples)
    tiny_seq2seq(family, vocabulary=size, **settings).save_pretrained(folder)
