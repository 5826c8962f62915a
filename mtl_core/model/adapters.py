"""Low-rank adapters (LoRA) in a shared encoder: put in for a run, merged or taken out after it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from mtl_core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Adapters:
    """LoRA adapters by peft in an encoder, drawn from torch's global generator.

    At the end call `merge` or `remove`, once: the encoder then has its own modules again.
    """

    def __init__(
        self,
        encoder: "PreTrainedModel",
        *,
        rank: int,
        alpha: float,
        dropout: float,
        targets: Sequence[str] | None,
    ) -> None:
        """Puts adapters in.

        Args:
            encoder: The encoder; changed in place.
            rank: Rank of each update.
            alpha: The updates are scaled by alpha / rank.
            dropout: Dropout of the adapters' input.
            targets: Ends of the names of the linear layers that get them; None = all.

        Raises:
            ConfigError: A target names no linear layer of the encoder.
        """
        from peft import LoraConfig, LoraModel

        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,  # type: ignore[arg-type]
            lora_dropout=dropout,
            target_modules=find_targets(encoder, targets),
        )
        # It sets `requires_grad` of all other parameters off; `MultiTaskModel.freeze` has the last
        # word on them.
        self._lora = LoraModel(encoder, config, "default")

    def merge(self) -> None:
        """Adds the adapters to the encoder's weights and takes them out."""
        self._lora.merge_and_unload()

    def remove(self) -> None:
        """Takes the adapters out; the encoder's weights are those from before them."""
        self._lora.unload()


def find_targets(encoder: nn.Module, targets: Sequence[str] | None) -> list[str]:
    """Returns the full names of the linear layers that get adapters.

    Raises:
        ConfigError: There are none, or a target names none of them.
    """
    linear = [name for name, m in encoder.named_modules() if isinstance(m, nn.Linear)]
    if not linear:  # GPT-2 and SqueezeBERT have convolutions in their place.
        raise ConfigError("run.freezing.kind: this encoder has no linear layers for adapters")
    if targets is None:
        return linear
    # Whole parts of a name, so that "query" does not take in "subquery".
    found = {
        target: [name for name in linear if f".{name}".endswith(f".{target}")] for target in targets
    }
    for target, names in found.items():
        if not names:
            ends = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
            raise ConfigError(
                f"run.freezing.targets: the encoder has no linear layer '{target}'; linear "
                f"layers: {', '.join(ends)}.{did_you_mean(target, ends)}"
            )
    # Each once, where several targets name the same layer.
    return list(dict.fromkeys(name for names in found.values() for name in names))
