"""Small random encoders of all supported families."""

import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from mtl_core.model.backbones.encoder import token_encoder

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
    config = AutoConfig.for_model(family, **(sizes | FAMILIES.get(family, {}) | settings))
    torch.manual_seed(0)
    return token_encoder(AutoModel.from_config(config))
