"""Low-rank adapters in a shared model: put in for a run, merged or taken out after it."""

import copy
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mtl_core.model.fewer_bits import Bits, with_fewer_bits, write_back
from mtl_core.model.targets import is_in_layer, linear_layers

_NAME = "default"
_ROOT = "model."
"""What peft's names begin with, before those of the parts."""


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """What adapters are like.

    Attributes:
        rank: Rank of the update of each matrix.
        alpha: The update is scaled by alpha / rank, or alpha / sqrt(rank) where `rslora`.
        dropout: Dropout of the adapters' input.
        dora: Whether direction and magnitude of each row of a matrix are updated apart.
        rslora: See `alpha`.
        bits: Bits of each weight of the frozen linear layers.
    """

    rank: int
    alpha: float
    dropout: float = 0.0
    dora: bool = False
    rslora: bool = False
    bits: Bits = 32


class Adapters:
    """LoRA adapters by peft in the parts of a model, drawn from torch's global generator.

    At the end call `merge` or `remove`, once: the parts then have their own modules again.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        targets: Mapping[str, Sequence[str]],
        settings: AdapterSettings,
        *,
        new: Collection[nn.Parameter] = (),
    ) -> None:
        """Puts adapters in.

        Args:
            parts: Name -> part of the model; changed in place.
            targets: Name of a part -> full names of its linear layers that get adapters.
            settings: What they are like.
            new: Weights that train and so have all their bits.

        """
        self._parts = nn.ModuleDict(dict(parts))
        self._targets = {name: list(found) for name, found in targets.items()}
        self._settings = settings
        # Name -> a linear layer that stands aside while one of fewer bits is in its place.
        self._aside: dict[str, nn.Module] = {}
        is_outline = any(p.is_meta for p in self._parts.parameters())
        if settings.bits < 32 and not is_outline:
            self._reduce(frozenset(new))
        self._lora = self._put_in()

    @property
    def merged_into(self) -> list[nn.Parameter]:
        """The weights that `merge` changes."""
        layers = {name: self._parts.get_submodule(name) for name in self._full_names()}
        bases = [getattr(layer, "base_layer", layer) for layer in layers.values()]
        own = [base for name, base in zip(layers, bases, strict=True) if name not in self._aside]
        return [p for layer in (*own, *self._aside.values()) for p in layer.parameters()]

    @property
    def layers(self) -> list[str]:
        """Names of the layers that have adapters, each behind the name of its part and a dot."""
        return self._full_names()

    def config(self) -> Any:
        """Returns a new `LoraConfig` of peft that says what the adapters are like."""
        return copy.copy(self._lora.peft_config[_NAME])

    def weights(self) -> dict[str, Tensor]:
        """Returns the adapters' weights, detached, by the names that peft saves them under.

        Each begins with the name of its part and a dot.
        """
        from peft import get_peft_model_state_dict

        found = get_peft_model_state_dict(self._lora, save_embedding_layers=False)
        return {name.removeprefix(_ROOT): value.detach() for name, value in found.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Takes over weights as `weights` returns them.

        Raises:
            ValueError: Some are missing, some are no adapter's, or shapes differ.
        """
        from peft import set_peft_model_state_dict

        own = self.weights()
        expected = {name: tuple(value.shape) for name, value in own.items()}
        found = {name: tuple(value.shape) for name, value in weights.items()}
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                raise ValueError(
                    f"{name}: expected {expected.get(name, 'nothing')}, "
                    f"found {found.get(name, 'nothing')}"
                )
        set_peft_model_state_dict(
            self._lora, {f"{_ROOT}{name}": value.clone() for name, value in weights.items()}
        )

    def merge(self) -> None:
        """Adds the adapters to the weights that they were trained on, and takes them out."""
        if self._aside:
            weights, made = self.weights(), self._made()
            self.remove()
            layers = linear_layers(self._parts)
            for name, reduced in made.items():
                write_back(reduced, layers[name])
            self._lora = self._put_in()
            self.load(weights)
        with _quiet():
            self._lora.merge_and_unload()

    def remove(self) -> None:
        """Takes the adapters out; all weights are those from before them."""
        self._lora.unload()
        for name, layer in self._aside.items():
            device = next(self._parts.get_submodule(name).parameters()).device
            self._parts.set_submodule(name, layer.to(device))
        self._aside = {}

    def _put_in(self) -> Any:
        # Where bitsandbytes is installed, peft imports it, and on a CPU it misses a package then.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        from peft import LoraConfig, LoraModel
        from peft.tuners.lora import LoraLayer

        config = LoraConfig(
            r=self._settings.rank,
            lora_alpha=self._settings.alpha,  # type: ignore[arg-type]
            lora_dropout=self._settings.dropout,
            use_dora=self._settings.dora,
            use_rslora=self._settings.rslora,
            target_modules=self._full_names(),
        )
        # By these peft knows layers of bitsandbytes.
        for bits in (4, 8):
            is_so = bool(self._aside) and self._settings.bits == bits
            setattr(self._parts, f"is_loaded_in_{bits}bit", is_so)
        with _quiet():
            # It sets `requires_grad` of all other parameters off; `MultiTaskModel.freeze` has the
            # last word on them.
            lora = LoraModel(self._parts, config, _NAME)
        for layer in lora.modules():
            # Autocast casts what it has to; copies in fp32 of each layer's input only take memory.
            if isinstance(layer, LoraLayer):
                layer.cast_input_dtype_enabled = False
        for parameter in lora.parameters():
            # Adapters of layers in bf16 are in bf16, too, which loses small updates.
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        return lora

    def _full_names(self) -> list[str]:
        return [f"{part}.{name}" for part in self._parts for name in self._targets[part]]

    def _reduce(self, new: frozenset[nn.Parameter]) -> None:
        """Puts layers of fewer bits in the place of all linear layers in a list of layers."""
        for name, layer in _in_layers(self._parts).items():
            # An outline on "meta" has no weights that could take fewer bits.
            is_outline = next(layer.parameters()).is_meta
            if is_outline or not new.isdisjoint(layer.parameters()):
                continue
            self._parts.set_submodule(name, with_fewer_bits(layer, self._settings.bits))
            # The GPU's memory is what fewer bits are for.
            self._aside[name] = layer.to("cpu")

    def _made(self) -> dict[str, nn.Module]:
        """Returns name -> layer of fewer bits, without its adapter."""
        found = {name: self._parts.get_submodule(name) for name in self._aside}
        return {name: getattr(layer, "base_layer", layer) for name, layer in found.items()}


@dataclass(frozen=True, slots=True)
class AdaptersAlone:
    """Adapters that are saved without their base.

    Attributes:
        adapters: The adapters, still in the model.
        base: Hash of the weights of the base; see `mtl_core.model.prefix_cache`.
    """

    adapters: Adapters
    base: str


def _in_layers(parts: nn.Module) -> dict[str, nn.Module]:
    """Returns name -> plain linear layer within a list of layers, each under one name."""
    return {
        name: layer
        for name, layer in linear_layers(parts).items()
        if is_in_layer(name)
        # Subclasses do something else, and a table that is tied must stay one.
        and type(layer).__name__ in ("Linear", "Conv1D")
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps peft from warnings on what is meant here, such as a base without a configuration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
