"""Encoder families whose lower layers can be left out of a forward pass, and how.

All else that has to be known of an encoder is found by running it; see `probe`. Adding a family =
its record here, and its row in the table of the tests.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Family:
    """How the encoders of a family begin; names are those of modules.

    Attributes:
        before: What the input of the first layer comes from, in order. () = it stays, and only its
            output is replaced: what the encoder's own code does between the two (positions,
            factors) would otherwise be done to what comes in its place.
        after_first: What works on the output of the first layer alone; "" = nothing.
        handed_on: What the first layer alone has, and hands to those above, by its name in the
            layer; "" = nothing.
    """

    before: tuple[str, ...] = ("embeddings",)
    after_first: str = ""
    handed_on: str = ""


_T5 = Family(before=(), handed_on="layer.0.SelfAttention.relative_attention_bias")


FAMILIES = MappingProxyType(
    {
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
    }
)
"""`model_type` -> its record."""
