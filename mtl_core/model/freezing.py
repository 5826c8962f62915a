"""Freezing: which part of the shared encoder keeps its pretrained weights."""

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.section import Section


class NoFreezing(Section):
    """Every parameter trains."""

    kind: Literal["none"] = "none"

    def frozen_modules(self, encoder: nn.Module) -> list[nn.Module]:
        """Returns the modules that keep their weights."""
        return []


class FreezeEmbeddings(Section):
    """The embeddings keep their weights."""

    kind: Literal["embeddings"] = "embeddings"

    def frozen_modules(self, encoder: nn.Module) -> list[nn.Module]:
        """Returns the modules that keep their weights."""
        return [_embeddings(encoder)]


class FreezeLowerLayers(Section):
    """The embeddings and the lowest layers keep their weights."""

    kind: Literal["lower_layers"] = "lower_layers"
    layers: int = Field(ge=1)
    """How many layers, counted from the input."""

    def frozen_modules(self, encoder: nn.Module) -> list[nn.Module]:
        """Returns the modules that keep their weights.

        Raises:
            ConfigError: The encoder has fewer layers.
        """
        layers = encoder_layers(encoder)
        if self.layers > len(layers):
            raise ConfigError(
                f"run.freezing.layers: expected at most {len(layers)}, the layers of the "
                f"encoder; found {self.layers}"
            )
        return [_embeddings(encoder), *layers[: self.layers]]


class FreezeEncoder(Section):
    """The whole encoder keeps its weights; only heads train."""

    kind: Literal["encoder"] = "encoder"

    def frozen_modules(self, encoder: nn.Module) -> list[nn.Module]:
        """Returns the modules that keep their weights."""
        return [encoder]


FreezingSection = Annotated[
    NoFreezing | FreezeEmbeddings | FreezeLowerLayers | FreezeEncoder,
    Field(discriminator="kind"),
]


def encoder_layers(encoder: nn.Module) -> nn.ModuleList:
    """Returns the transformer layers of an encoder, from the input up.

    Raises:
        ConfigError: The architecture keeps its layers in no list of the configured length.
    """
    expected = getattr(encoder.config, "num_hidden_layers", None)
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) == expected:
            return module
    raise ConfigError(
        f"run.freezing: cannot find the layers of a '{_family(encoder)}' encoder; "
        "use freezing kind none or encoder"
    )


def _embeddings(encoder: nn.Module) -> nn.Module:
    embeddings = getattr(encoder, "embeddings", None)
    if isinstance(embeddings, nn.Module):
        return embeddings
    raise ConfigError(
        f"run.freezing: cannot find the embeddings of a '{_family(encoder)}' encoder; "
        "use freezing kind none or encoder"
    )


def _family(encoder: nn.Module) -> str:
    return str(getattr(encoder.config, "model_type", type(encoder).__name__))
