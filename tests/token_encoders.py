"""Small random models of every family that Transformers has for texts, with a tokenizer."""

from pathlib import Path

import torch
from conftest import save_tokenizer
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import logging

from mtl_core.data.example import Example

_BERT: dict[str, object] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 42,
}
_LLAMA = _BERT | {"num_key_value_heads": 2, "head_dim": 12}
_GPT: dict[str, object] = {"n_embd": 24, "n_layer": 2, "n_head": 2, "n_positions": 42}
_BART: dict[str, object] = {
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 42,
}
_T5: dict[str, object] = {
    "d_model": 24,
    "d_kv": 12,
    "d_ff": 32,
    "num_layers": 2,
    "num_decoder_layers": 1,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}
_XLM: dict[str, object] = {"emb_dim": 24, "n_layers": 2, "n_heads": 2}
_XLM |= {"max_position_embeddings": 42}
_FROM_PADDING = _BERT | {"pad_token_id": 1}
_NO_BOXES = {"coordinate_size": 4, "shape_size": 4}

FAMILIES: dict[str, dict[str, object]] = {
    # Encoders.
    "albert": _BERT | {"embedding_size": 16},
    "bert": _BERT,
    "big_bird": _BERT | {"attention_type": "original_full"},
    "camembert": _FROM_PADDING,
    "canine": _BERT,
    "convbert": _BERT | {"embedding_size": 16},
    "data2vec-text": _FROM_PADDING,
    "deberta": _BERT,
    "deberta-v2": _BERT | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "distilbert": {"dim": 24, "hidden_dim": 32, "n_layers": 2, "n_heads": 2,
                   "max_position_embeddings": 42},
    "electra": _BERT | {"embedding_size": 16},
    "ernie": _BERT,
    "esm": _FROM_PADDING | {"mask_token_id": 4, "position_embedding_type": "absolute"},
    "eurobert": _LLAMA,
    "funnel": {"d_model": 24, "n_head": 2, "d_head": 12, "d_inner": 32, "block_sizes": [1, 1],
               "num_decoder_layers": 1, "architectures": ["FunnelModel"]},
    "gte": _BERT,
    "ibert": _FROM_PADDING,
    "jina_embeddings_v3": _BERT,
    "layoutlm": _BERT,
    "layoutlmv3": _BERT | _NO_BOXES | {"visual_embed": False},
    "lilt": _BERT | {"channel_shrink_ratio": 2},
    "longformer": _FROM_PADDING | {"attention_window": [8, 8]},
    "luke": _FROM_PADDING | {"entity_vocab_size": 8, "entity_emb_size": 8},
    "markuplm": _FROM_PADDING | {"max_xpath_tag_unit_embeddings": 8, "tag_pad_id": 6,
                                 "max_xpath_subs_unit_embeddings": 8, "subs_pad_id": 6},
    "megatron-bert": _BERT,
    "mobilebert": _BERT | {"embedding_size": 16, "intra_bottleneck_size": 12,
                           "true_hidden_size": 12},
    "modernbert": _BERT | {"bos_token_id": 2, "eos_token_id": 3},
    "mpnet": _FROM_PADDING,
    "mra": _BERT,
    "nomic_bert": _BERT,
    "nystromformer": _BERT,
    "rembert": _BERT | {"input_embedding_size": 16},
    "roberta": _FROM_PADDING,
    "roberta-prelayernorm": _FROM_PADDING,
    "roc_bert": _BERT | {"pronunciation_embed_dim": 8, "shape_embed_dim": 8},
    "roformer": _BERT | {"embedding_size": 24},
    "squeezebert": _BERT | {"embedding_size": 24, "q_groups": 1, "k_groups": 1, "v_groups": 1,
                            "post_attention_groups": 1, "intermediate_groups": 1,
                            "output_groups": 1},
    "tapas": _BERT,
    "xlm": _XLM,
    "flaubert": _XLM,
    "xlm-roberta": _FROM_PADDING,
    "xlm-roberta-xl": _FROM_PADDING,
    "xlnet": {"d_model": 24, "n_layer": 2, "n_head": 2, "d_inner": 32},
    "xmod": _FROM_PADDING | {"languages": ["en_XX"], "default_language": "en_XX"},
    "yoso": _BERT,
    # Decoders, which look back alone.
    "biogpt": _BERT,
    "bloom": {"hidden_size": 24, "n_layer": 2, "n_head": 2},
    "ctrl": _GPT | {"dff": 32},
    "falcon": _BERT,
    "gemma": _LLAMA,
    "gpt2": _GPT,
    "gpt_neo": {"hidden_size": 24, "num_layers": 2, "num_heads": 2, "intermediate_size": 32,
                "attention_types": [[["global", "local"], 1]], "max_position_embeddings": 42},
    "gpt_neox": _BERT,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mpt": {"d_model": 24, "n_heads": 2, "n_layers": 2, "max_seq_len": 42},
    "openai-gpt": _GPT,
    "opt": _BERT | {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    # Encoder-decoders, of which the encoder is used.
    "bart": _BART,
    "bigbird_pegasus": _BART | {"attention_type": "original_full"},
    "blenderbot": _BART,
    "led": _BART | {"max_encoder_position_embeddings": 40, "max_decoder_position_embeddings": 40,
                    "attention_window": [8, 8]},
    "longt5": _T5 | {"local_radius": 8},
    "m2m_100": _BART,
    "marian": _BART,
    "mbart": _BART,
    "mt5": _T5,
    "mvp": _BART,
    "nllb-moe": _BART | {"num_experts": 2},
    "pegasus": _BART,
    "pegasus_x": _BART | {"block_size": 8, "num_global_tokens": 4},
    "plbart": _BART,
    "prophetnet": {"hidden_size": 24, "encoder_ffn_dim": 32, "num_encoder_layers": 2,
                   "num_encoder_attention_heads": 2, "decoder_ffn_dim": 32,
                   "num_decoder_layers": 1, "num_decoder_attention_heads": 2,
                   "max_position_embeddings": 42},
    "t5": _T5,
    "umt5": _T5,
}  # fmt: skip
"""Families that train: `model_type` -> settings of a small one."""

REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "bros": (_BERT, "You have to specify bbox"),
    "fnet": (_BERT, "takes no attention mask"),
    "fsmt": (
        _BART | {"langs": ["en", "de"], "src_vocab_size": 99, "tgt_vocab_size": 99},
        "FSMTEncoder cannot be used without the decoder",
    ),
    "reformer": (
        {
            "hidden_size": 24,
            "num_attention_heads": 2,
            "attention_head_size": 12,
            "feed_forward_size": 32,
            "attn_layers": ["local", "local"],
            "axial_pos_shape": [8, 8],
            "axial_pos_embds_dim": [12, 12],
            "max_position_embeddings": 64,
            "local_attn_chunk_length": 8,
            "is_decoder": False,
        },
        "axial_pos_shape",
    ),
    "funnel-base": (
        {
            "d_model": 24,
            "n_head": 2,
            "d_head": 12,
            "d_inner": 32,
            "block_sizes": [1, 1],
            "num_decoder_layers": 1,
            "architectures": ["FunnelBaseModel"],
        },
        "expected a hidden state for each sub-word of (1, 8); found (1, 4)",
    ),
    "t5gemma": (
        {"encoder": _LLAMA | {"vocab_size": 999}, "decoder": _LLAMA},
        "Unrecognized configuration class",  # of the encoder, whose model could not be loaded
    ),
    "vit": (
        {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2},
        "takes no token ids",
    ),
}
"""Families that do not run on token ids with a mask: settings, and a part of the error."""


def random_model(family: str, **settings: object) -> PreTrainedModel:
    """Returns the model that `AutoModel` makes of a family, in evaluation mode."""
    known = FAMILIES.get(family) or REFUSED[family][0]
    family = family.removesuffix("-base")
    config = AutoConfig.for_model(family, **({"pad_token_id": 0} | known | settings))
    torch.manual_seed(0)
    return AutoModel.from_config(config).eval()


def save_family(folder: Path, family: str, examples: list[Example], **settings: object) -> None:
    """Saves a random model of a family with a tokenizer for the words of examples."""
    logging.disable_progress_bar()
    size = save_tokenizer(folder, examples) + 8  # some families add sub-words of their own
    random_model(family, **({"vocab_size": size} | settings)).save_pretrained(folder)


def half(model: PreTrainedModel) -> nn.Module:
    """Returns the encoder of an encoder-decoder, by its own name; other models as they are."""
    return model.encoder if model.config.is_encoder_decoder else model
