"""Small random encoders of all supported families."""

import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from mtl_core.model.backbones.encoder import token_encoder

_BART: dict[str, object] = {
    "encoder_layers": 3,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "vocab_size": 300,
    "pad_token_id": 1,
}
_T5: dict[str, object] = {
    "d_kv": 16,
    "d_ff": 48,
    "num_decoder_layers": 1,
    "vocab_size": 300,
    "decoder_start_token_id": 0,
}
_LLAMA: dict[str, object] = {"num_key_value_heads": 1, "head_dim": 16, "pad_token_id": 0}
_LLAMA |= {"bos_token_id": 2, "eos_token_id": 3}
FAMILIES: dict[str, dict[str, object]] = {
    "bert": {},
    "roberta": {"max_position_embeddings": 66, "pad_token_id": 1},
    "camembert": {"max_position_embeddings": 66, "pad_token_id": 1},
    "xlm-roberta": {"max_position_embeddings": 66, "pad_token_id": 1},
    "distilbert": {"dim": 32, "hidden_dim": 48},
    "electra": {"embedding_size": 16},
    "mpnet": {"max_position_embeddings": 66, "pad_token_id": 1},
    "deberta-v2": {
        "relative_attention": True,
        "position_buckets": 16,
        "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm",
        "conv_kernel_size": 3,
    },
    "albert": {"embedding_size": 16},
    "modernbert": {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
}
HALVES: dict[str, dict[str, object]] = {
    "bart": _BART,
    "marian": _BART | {"scale_embedding": True},
    "mbart": _BART | {"scale_embedding": True},
    "m2m_100": _BART,
    "mt5": _T5,
    "pegasus": _BART | {"scale_embedding": True},
    "t5": _T5,
}
"""Encoder-decoders, of which `tiny` returns the encoder."""
DECODERS: dict[str, dict[str, object]] = {
    "gemma": _LLAMA,
    "gpt2": {"n_embd": 32, "n_inner": 48, "n_positions": 64},
    "gpt_neox": {"hidden_dropout": 0.1},
    "llama": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}
LIKE_LLAMA: dict[str, dict[str, object]] = {
    # Of three layers one sees all before it, the others four alone.
    "gemma2": _LLAMA | {"sliding_window": 4, "layer_types": [
        "sliding_attention", "full_attention", "sliding_attention"]},
    "gemma3_text": _LLAMA | {"sliding_window": 4, "layer_types": [
        "sliding_attention", "full_attention", "sliding_attention"]},
    "mistral": _LLAMA | {"sliding_window": 4},
    "olmo2": _LLAMA,
    "phi3": _LLAMA,
    "smollm3": _LLAMA,
}  # fmt: skip
"""Those whose records are that of llama; they are tested where that could be wrong."""
FAMILIES |= DECODERS
SEPARATE = [family for family in FAMILIES if family != "albert"]
"""Those whose layers have their own weights."""


def tiny(family: str, **settings: object) -> PreTrainedModel:
    sizes: dict[str, object] = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
    }
    config = AutoConfig.for_model(
        family, **(sizes | (FAMILIES | HALVES | LIKE_LLAMA).get(family, {}) | settings)
    )
    torch.manual_seed(0)
    return token_encoder(AutoModel.from_config(config))
