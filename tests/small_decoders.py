"""Small random decoders in folders, with a tokenizer for the words of examples."""

from pathlib import Path

import torch
from conftest import save_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from mtl_core.data.example import Example

_BERT: dict[str, object] = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
_LLAMA = _BERT | {"num_key_value_heads": 1, "head_dim": 12}
FAMILIES: dict[str, dict[str, object]] = {
    "gemma": _LLAMA,
    "gpt2": {"n_embd": 24, "n_layer": 3, "n_head": 2, "n_positions": 64},
    "gpt_neox": _BERT,
    "llama": _LLAMA | {"tie_word_embeddings": True},
    "qwen2": _LLAMA | {"tie_word_embeddings": True},
    "qwen3": _LLAMA,
}
"""Tied are gemma, gpt2, llama and qwen2; the others have an output layer of their own."""


def save_decoder(folder: Path, family: str, examples: list[Example], **settings: object) -> None:
    """Saves a random model of a family, without dropout, and a tokenizer."""
    logging.disable_progress_bar()
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    dropout = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0)
    sizes = {"vocab_size": save_tokenizer(folder, examples), **special, **dropout}
    config = AutoConfig.for_model(family, **(sizes | FAMILIES[family] | settings))
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
