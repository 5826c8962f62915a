"""The parts of an encoder: what stands below, in and above its transformer layers."""

from dataclasses import dataclass

from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.forward_pass import beside
from mtl_core.model.probe import facts_of


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
        ConfigError: It is not clear which they are.
    """
    layers = encoder.get_submodule(layers_name(encoder))
    above = tuple(encoder.get_submodule(name) for name in facts_of(encoder).above)
    below = tuple(module for module in beside(encoder, layers) if module not in above)
    return EncoderParts(below, tuple(layers.children()), above)


def layers_name(encoder: nn.Module) -> str:
    """Returns the name of the list of an encoder's layers.

    Raises:
        ConfigError: It is not clear which it is.
    """
    layers = facts_of(encoder).layers
    if not layers:
        raise ConfigError(
            f"run.encoder.name: a '{_family(encoder)}' encoder has no single list of layers that "
            "could be told apart; use run.freezing kind none, encoder, bias_only or lora and "
            "run.optimizer.layer_decay 1, or another encoder"
        )
    return layers


def separate_layers(encoder: nn.Module, key: str) -> EncoderParts:
    """Returns the parts of an encoder whose layers each have their own weights.

    Args:
        encoder: The encoder.
        key: The setting that needs them, for the error.

    Raises:
        ConfigError: It is not clear which they are, or they share their weights.
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
