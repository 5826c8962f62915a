"""Encoder families: where each keeps what freezing, the prefix and the longest input ask for.

Adding a family = its record here, and its row in the table of the tests.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Family:
    """How the encoders of a family are built; names are those of modules.

    Attributes:
        layers: The list of the transformer layers, from the input up; "" = not known.
        before: What the input of the first layer comes from, in order.
        above: What comes after the last layer.
        after_first: What works on the output of the first layer alone; "" = nothing.
        positions_from_padding: Whether the first position is the padding id + 1, so that the table
            of positions is longer than the longest input.
    """

    layers: str = ""
    before: tuple[str, ...] = ("embeddings",)
    above: tuple[str, ...] = ()
    after_first: str = ""
    positions_from_padding: bool = False


UNKNOWN = Family()
"""Any encoder without a record: it trains as a whole."""

FAMILIES = MappingProxyType(
    {
        "albert": Family(
            layers="encoder.albert_layer_groups",
            before=("embeddings", "encoder.embedding_hidden_mapping_in"),
        ),
        "bert": Family(layers="encoder.layer"),
        "camembert": Family(layers="encoder.layer", positions_from_padding=True),
        "deberta-v2": Family(layers="encoder.layer", after_first="encoder.conv"),
        "distilbert": Family(layers="transformer.layer"),
        "electra": Family(layers="encoder.layer", before=("embeddings", "embeddings_project")),
        "longformer": Family(positions_from_padding=True),
        "modernbert": Family(layers="layers", above=("final_norm",)),
        "mpnet": Family(layers="encoder.layer", positions_from_padding=True),
        "roberta": Family(layers="encoder.layer", positions_from_padding=True),
        "roberta-prelayernorm": Family(positions_from_padding=True),
        "xlm-roberta": Family(layers="encoder.layer", positions_from_padding=True),
    }
)
"""`model_type` -> its record."""


def family_of(model_type: str) -> Family:
    """Returns the record of a family; `UNKNOWN` when there is none."""
    return FAMILIES.get(model_type, UNKNOWN)
