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
        return modules_outside_layers(encoder)


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
        return [*modules_outside_layers(encoder), *layers[: self.layers]]


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
        f"run.encoder.name: cannot find the layers of a '{_family(encoder)}' encoder; use "
        "run.freezing kind none or encoder, and run.optimizer.layer_decay 1"
    )


def modules_outside_layers(encoder: nn.Module) -> list[nn.Module]:
    """Returns what stands in no layer; it counts as embeddings.

    Besides the embeddings some families keep a projection behind them (ELECTRA) or positions that
    all layers share (DeBERTa, MPNet) there: left to train, they would change frozen layers too.

    Raises:
        ConfigError: The layers cannot be found.
    """
    layers = encoder_layers(encoder)
    above = [m for m in encoder.modules() if layers in m.modules() and m is not layers]
    children = [child for module in above for child in module.children()]
    return [child for child in children if child not in (layers, *above)]


def _family(encoder: nn.Module) -> str:
    return str(getattr(encoder.config, "model_type", type(encoder).__name__))
