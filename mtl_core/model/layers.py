"""The parts of an encoder: what stands below, in and above its transformer layers."""

from dataclasses import dataclass

from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.families import FAMILIES, family_of


@dataclass(frozen=True, slots=True)
class EncoderParts:
    """An encoder in the order in which a sentence passes through it.

    Attributes:
        below: The embeddings, and what some families keep outside of all layers: a projection
            behind the embeddings (ELECTRA, ALBERT), positions that all layers share (DeBERTa,
            MPNet). Left to train, they would change what frozen layers compute.
        layers: The transformer layers, from the input up.
        above: What comes after the last layer.
    """

    below: tuple[nn.Module, ...]
    layers: tuple[nn.Module, ...]
    above: tuple[nn.Module, ...]


def encoder_parts(encoder: nn.Module) -> EncoderParts:
    """Returns the parts of an encoder; ALBERT's layers, which share their weights, count as one.

    Raises:
        ConfigError: The family is not known.
    """
    layers = encoder.get_submodule(layers_name(encoder))
    above = tuple(encoder.get_submodule(name) for name in family_of(_family(encoder)).above)
    # The modules that the list stands in, the encoder itself among them; all else that stands
    # beside the list or beside one of them is below, unless it is known to be above.
    around = [m for m in encoder.modules() if layers in m.modules() and m is not layers]
    below = tuple(
        child
        for module in around
        for child in module.children()
        if child not in (layers, *around, *above)
    )
    return EncoderParts(below, tuple(layers.children()), above)


def layers_name(encoder: nn.Module) -> str:
    """Returns the name of the list of an encoder's layers.

    Raises:
        ConfigError: The family is not known.
    """
    family = _family(encoder)
    layers = family_of(family).layers
    if not layers:
        known = [name for name, record in FAMILIES.items() if record.layers]
        raise ConfigError(
            f"run.encoder.name: the layers of a '{family}' encoder are not known; use run.freezing "
            "kind none, encoder, bias_only or lora and run.optimizer.layer_decay 1, or an encoder "
            f"of the families {', '.join(known)}"
        )
    return layers


def separate_layers(encoder: nn.Module, key: str) -> EncoderParts:
    """Returns the parts of an encoder whose layers each have their own weights.

    Args:
        encoder: The encoder.
        key: The setting that needs them, for the error.

    Raises:
        ConfigError: The family is not known, or its layers share their weights.
    """
    parts = encoder_parts(encoder)
    # ALBERT has a module for each group of layers, most often one for all.
    if len(parts.layers) != encoder.config.num_hidden_layers:  # type: ignore[union-attr]
        raise ConfigError(
            f"{key}: the layers of a '{_family(encoder)}' encoder share their weights, so they "
            "cannot be told apart; use run.freezing kind none, embeddings, encoder, bias_only or "
            "lora and run.optimizer.layer_decay 1"
        )
    return parts


def _family(encoder: nn.Module) -> str:
    return str(getattr(encoder.config, "model_type", type(encoder).__name__))
