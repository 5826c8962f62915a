"""Families of models whose lower layers can be left out of a forward pass, and how.

All else that has to be known of a family is found by running it; see `probe`. Adding a family =
its record here, and its row in the table of the tests.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Family:
    """How the encoders of a family begin, and what they see; names are those of modules.

    Attributes:
        before: What the input of the first layer comes from, in order. () = it stays, and only its
            output is replaced: what the encoder's own code does between the two (positions,
            factors) would otherwise be done to what comes in its place.
        after_first: What works on the output of the first layer alone; "" = nothing.
        handed_on: What the first layer alone has, and hands to those above, by its name in the
            layer; "" = nothing.
        looks_back: Whether sub-words see those before them alone, by the mask that each layer is
            given: a layer that is given another one can see all.
    """

    before: tuple[str, ...] = ("embeddings",)
    after_first: str = ""
    handed_on: str = ""
    looks_back: bool = False


_T5 = Family(before=(), handed_on="layer.0.SelfAttention.relative_attention_bias")
_LLAMA = Family(before=("embed_tokens",), looks_back=True)

FAMILIES = MappingProxyType(
    {
        # Encoders.
        "albert": Family(before=("embeddings", "encoder.embedding_hidden_mapping_in")),
        "bart": Family(before=()),
        "bert": Family(),
        "camembert": Family(),
        "deberta-v2": Family(after_first="encoder.conv"),
        "distilbert": Family(),
        "electra": Family(before=("embeddings", "embeddings_project")),
        "m2m_100": Family(before=()),
        "marian": Family(before=()),
        "mbart": Family(before=()),
        "modernbert": Family(),
        "mpnet": Family(),
        "mt5": _T5,
        "pegasus": Family(before=()),
        "roberta": Family(),
        "t5": _T5,
        "xlm-roberta": Family(),
        # Decoders.
        "gemma": _LLAMA,
        "gemma2": _LLAMA,
        "gemma3_text": _LLAMA,
        "gpt2": Family(before=(), looks_back=True),
        "gpt_neox": Family(before=("embed_in", "emb_dropout"), looks_back=True),
        "llama": _LLAMA,
        "mistral": _LLAMA,
        "olmo2": _LLAMA,
        "phi3": _LLAMA,
        "qwen2": _LLAMA,
        "qwen3": _LLAMA,
        "smollm3": _LLAMA,
    }
)
"""`model_type` -> its record."""
