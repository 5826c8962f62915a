"""The kinds of backbones; adding one = its file, its word here, its row in the tests."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag, TypeAdapter

from mtl_core.model.backbones.base import Backbone
from mtl_core.model.backbones.decoder import Decoder
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.backbones.encoder_decoder import EncoderDecoder


def _kind_of(value: Any) -> str | None:
    """Returns the kind of a backbone; encoder without one, as `encoder.name` may stand alone."""
    if isinstance(value, Mapping):
        return str(value.get("kind", "encoder"))
    return getattr(value, "kind", None)


BackboneSection = Annotated[
    Annotated[Encoder, Tag("encoder")]
    | Annotated[Decoder, Tag("decoder")]
    | Annotated[EncoderDecoder, Tag("encoder_decoder")],
    Discriminator(_kind_of),
]

BACKBONE: TypeAdapter[Backbone] = TypeAdapter(BackboneSection, config={"defer_build": True})
"""Reads the settings of a backbone alone."""
