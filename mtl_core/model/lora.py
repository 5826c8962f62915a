"""Freezing of the kind `lora`: low-rank adapters train, and the model keeps its weights."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, BeforeValidator, Field
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.adapters import Adapters, AdapterSettings
from mtl_core.model.fewer_bits import Bits, check_bits
from mtl_core.model.freezing import Freezing
from mtl_core.model.layers import separate_layers
from mtl_core.model.targets import find_targets, is_in_layer, linear_layers
from mtl_core.tasks.writer import Writer


def _as_named_now(value: Any) -> Any:
    # What recipes of versions before say of all linear layers.
    return "all" if value is None else value


def _check_expression(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
    return value


class Lora(Freezing):
    """Low-rank adapters in linear layers train; the encoder keeps its weights.

    Hu et al. 2022, https://arxiv.org/abs/2106.09685, by peft. In a model that writes, its decoder
    gets adapters, too.
    """

    kind: Literal["lora"] = "lora"
    rank: int = Field(default=8, ge=1)
    """Rank of the update of each matrix."""
    alpha: float = Field(default=16.0, gt=0)
    """The update is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the adapters' input."""
    targets: Annotated[
        str | Annotated[tuple[str, ...], Field(min_length=1)],
        BeforeValidator(_as_named_now),
        AfterValidator(_check_expression),
    ] = "all"
    """Linear layers that get adapters: `all`, `attention`, `ffn` (those of the layers that are not
    attention), a regular expression for whole names, or a list of ends of names."""
    from_layer: int = Field(default=0, ge=0)
    """Lowest layer with adapters, from 0; what is below is computed once, see
    `training.prefix_cache`."""
    dora: bool = False
    """Trains the magnitude of each row of a matrix apart (DoRA, Liu et al. 2024,
    https://arxiv.org/abs/2402.09353)."""
    rslora: bool = False
    """Scales by alpha / sqrt(rank), so that large ranks learn as fast (Kalajdzievski 2023,
    https://arxiv.org/abs/2312.03732)."""
    bits: Bits = 32
    """Bits of each weight of the frozen linear layers: 16 = bf16; 8, and 4 as QLoRA has them, on a
    CUDA GPU with bitsandbytes. Adapters and all else have 32."""
    saved: Literal["merged", "adapters"] = "merged"
    """What a saved model holds: the sum of weights and adapters, or the adapters alone, in peft's
    format with the name of their base."""

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns what is below the first layer with adapters."""
        return self._below(encoder)

    def frozen_parameters(self, encoder: nn.Module, *, epoch: int) -> set[nn.Parameter]:
        """Returns everything but the adapters."""
        # By name, as peft calls what it adds.
        return {p for name, p in encoder.named_parameters() if ".lora_" not in name}

    def frozen_in_writer(self, writer: nn.Module) -> set[nn.Parameter]:
        """Returns everything but the adapters."""
        return {p for name, p in writer.named_parameters() if ".lora_" not in name}

    def frozen_depth(self, encoder: nn.Module, *, epoch: int) -> int | None:
        """Returns the number of layers below the first one with adapters."""
        return self.from_layer or None

    def check(self, encoder: nn.Module) -> None:
        """Refuses names of layers that the encoder does not have."""
        # The adapters that `frozen_parameters` asks for are not there yet.
        find_targets(encoder, self.targets, without=self._below(encoder))

    def check_device(self, device: torch.device) -> None:
        """Refuses fewer bits than the device has kernels for."""
        check_bits(self.bits, device)

    @property
    def saves_adapters(self) -> bool:
        """Whether a saved model holds the adapters alone."""
        return self.saved == "adapters"

    def add_adapters(
        self,
        encoder: nn.Module,
        writer: Writer | None = None,
        *,
        targets: Mapping[str, Sequence[str]] | None = None,
    ) -> Adapters:
        """Puts the adapters into the encoder, and into the layers of a pretrained decoder."""
        parts: dict[str, nn.Module] = {"encoder": encoder}
        new, decoder = set[nn.Parameter](), list[str]()
        if writer is not None:
            new = set(writer.new_parameters())
            parts["decoder"], decoder = writer, _layers_without(new, writer)
        found = targets or find_targets(
            encoder, self.targets, without=self._below(encoder), decoder=decoder
        )
        settings = AdapterSettings(
            rank=self.rank,
            alpha=self.alpha,
            dropout=self.dropout,
            dora=self.dora,
            rslora=self.rslora,
            bits=self.bits,
        )
        return Adapters(parts, found, settings, new=new)

    def _below(self, encoder: nn.Module) -> list[nn.Module]:
        if not self.from_layer:
            return []
        parts = separate_layers(encoder, "run.freezing.from_layer")
        if self.from_layer >= len(parts.layers):
            raise ConfigError(
                f"run.freezing.from_layer: expected at most {len(parts.layers) - 1}, the top layer "
                f"of the encoder, counted from 0; found {self.from_layer}"
            )
        return [*parts.below, *parts.layers[: self.from_layer]]


def _layers_without(new: set[nn.Parameter], writer: nn.Module) -> list[str]:
    """Returns the names of linear layers in lists of layers; the output layer is in none."""
    return [
        name
        for name, layer in linear_layers(writer).items()
        if is_in_layer(name) and new.isdisjoint(layer.parameters())
    ]
