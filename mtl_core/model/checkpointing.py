"""Gradient checkpointing: layers are computed again for the backward pass, which saves memory.

Chen et al. 2016, https://arxiv.org/abs/1604.06174, by the layers of Transformers.
"""

from typing import TYPE_CHECKING

from mtl_core.errors import ConfigError
from mtl_core.model._transformers import compute_again

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel


def check_checkpointing(config: "PreTrainedConfig") -> None:
    """Refuses a family whose layers cannot be computed again.

    Raises:
        ConfigError: They cannot.
    """
    from transformers import MODEL_MAPPING

    family = MODEL_MAPPING.get(type(config), None)
    # Some configurations have several classes of models, which are alike in this.
    one = family[0] if isinstance(family, tuple) else family
    if not getattr(one, "supports_gradient_checkpointing", False):
        raise _refusal(config)


def use_checkpointing(model: "PreTrainedModel", *, is_on: bool) -> None:
    """Sets whether layers of a model are computed again in the backward pass of training.

    Raises:
        ConfigError: The family has none that can be.
    """
    try:
        compute_again(model, is_on=is_on)
    except ValueError as error:
        raise _refusal(model.config) from error


def _refusal(config: "PreTrainedConfig") -> ConfigError:
    return ConfigError(
        "run.training.gradient_checkpointing: Transformers cannot compute the layers of a "
        f"'{config.model_type}' model again; take it out, or use another encoder"
    )
