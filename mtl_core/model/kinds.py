"""The kinds of freezing; adding one = its class, its word here, its row in the tests."""

from typing import Annotated

from pydantic import Field

from mtl_core.model.freezing import (
    BiasOnly,
    FreezeEmbeddings,
    FreezeEncoder,
    FreezeLowerLayers,
    FreezeUpperLayers,
    Gradual,
    NoFreezing,
)
from mtl_core.model.lora import Lora

FreezingSection = Annotated[
    NoFreezing
    | FreezeEmbeddings
    | FreezeLowerLayers
    | FreezeUpperLayers
    | FreezeEncoder
    | Gradual
    | BiasOnly
    | Lora,
    Field(discriminator="kind"),
]
