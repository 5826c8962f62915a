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
        before: What the input of the first layer comes from, in order.
        after_first: What works on the output of the first layer alone; "" = nothing.
    """

    before: tuple[str, ...] = ("embeddings",)
    after_first: str = ""


FAMILIES = MappingProxyType(
    {
        "albert": Family(before=("embeddings", "encoder.embedding_hidden_mapping_in")),
        "bert": Family(),
        "camembert": Family(),
        "deberta-v2": Family(after_first="encoder.conv"),
        "distilbert": Family(),
        "electra": Family(before=("embeddings", "embeddings_project")),
        "modernbert": Family(),
        "mpnet": Family(),
        "roberta": Family(),
        "xlm-roberta": Family(),
    }
)
"""`model_type` -> its record."""
