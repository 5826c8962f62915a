"""Freezing: which parameters of the shared encoder keep their pretrained weights, and when."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.adapters import Adapters
from mtl_core.model.layers import encoder_parts, separate_layers
from mtl_core.model.prefix import WHOLE
from mtl_core.section import Section
from mtl_core.tasks.writer import Writer


class Freezing(Section):
    """Base of all kinds; without an override nothing is frozen.

    The order of calls: `check` and `check_device` before a study, `add_adapters` when a model is
    made, then per epoch `changes_at`, `frozen_modules`, `frozen_parameters` and `frozen_depth`.
    """

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns the modules that compute as pretrained in an epoch (from 1), without dropout.

        Raises:
            ConfigError: The encoder does not allow this kind.
        """
        return []

    def frozen_parameters(self, encoder: nn.Module, *, epoch: int) -> set[nn.Parameter]:
        """Returns the parameters that keep their weights in an epoch (from 1).

        What is frozen in an epoch was frozen in all epochs before it: the optimiser is made for
        what trains in the last one.

        Raises:
            ConfigError: The encoder does not allow this kind.
        """
        frozen = self.frozen_modules(encoder, epoch=epoch)
        return {parameter for module in frozen for parameter in module.parameters()}

    def frozen_in_writer(self, writer: nn.Module) -> set[nn.Parameter]:
        """Returns the parameters of a pretrained writer that keep their weights; none, mostly.

        Freezing is of the encoder. What the writer has in common with it stays with the encoder.
        """
        return set()

    def frozen_depth(self, encoder: nn.Module, *, epoch: int) -> int | None:
        """Returns how many of the lowest layers compute the same all through an epoch.

        Returns:
            0 = the embeddings alone, `WHOLE` = the whole encoder, None = nothing.
        """
        return None

    def check(self, encoder: nn.Module) -> None:
        """Refuses an encoder that does not allow this kind; its weights may be on "meta".

        Raises:
            ConfigError: The encoder does not allow this kind.
        """
        self.frozen_parameters(encoder, epoch=1)

    def check_device(self, device: torch.device) -> None:
        """Refuses a device that this kind cannot train on.

        Raises:
            ConfigError: It cannot.
        """
        return

    def changes_at(self, epoch: int) -> bool:
        """Returns whether less is frozen in an epoch than in the one before."""
        return False

    @property
    def saves_adapters(self) -> bool:
        """Whether a saved model holds adapters, and not the weights that they belong to."""
        return False

    def add_adapters(
        self,
        encoder: nn.Module,
        writer: Writer | None = None,
        *,
        targets: Mapping[str, Sequence[str]] | None = None,
    ) -> Adapters | None:
        """Puts trainable adapters into the encoder and its writer, when this kind has some.

        Args:
            encoder: The encoder.
            writer: Its writer, if it has one.
            targets: "encoder", "decoder" -> names of the layers that get them; None = what the
                section says.
        """
        return None


class NoFreezing(Freezing):
    """Every parameter trains."""

    kind: Literal["none"] = "none"


class FreezeEmbeddings(Freezing):
    """The embeddings keep their weights."""

    kind: Literal["embeddings"] = "embeddings"

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns what stands below the layers."""
        return list(encoder_parts(encoder).below)

    def frozen_depth(self, encoder: nn.Module, *, epoch: int) -> int | None:
        """Returns 0: the embeddings alone."""
        return 0


class FreezeLowerLayers(Freezing):
    """The embeddings and the lowest layers keep their weights."""

    kind: Literal["lower_layers"] = "lower_layers"
    layers: int = Field(ge=1)
    """How many layers, counted from the input."""

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns the embeddings and the lowest layers."""
        parts = separate_layers(encoder, "run.freezing.kind")
        _check_layers(self.layers, len(parts.layers))
        return [*parts.below, *parts.layers[: self.layers]]

    def frozen_depth(self, encoder: nn.Module, *, epoch: int) -> int | None:
        """Returns the number of frozen layers."""
        return _depth(encoder, self.layers)


class FreezeUpperLayers(Freezing):
    """The highest layers keep their weights; the embeddings and the layers below them train."""

    kind: Literal["upper_layers"] = "upper_layers"
    layers: int = Field(ge=1)
    """How many layers, counted from the output."""

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns the highest layers and what comes after them."""
        parts = separate_layers(encoder, "run.freezing.kind")
        _check_layers(self.layers, len(parts.layers))
        return [*parts.layers[-self.layers :], *parts.above]

    def frozen_in_writer(self, writer: nn.Module) -> set[nn.Parameter]:
        """Returns all: the writer stands above the highest layers."""
        return set(writer.parameters())


class FreezeEncoder(Freezing):
    """The whole encoder keeps its weights; only heads train."""

    kind: Literal["encoder"] = "encoder"

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns the encoder."""
        return [encoder]

    def frozen_depth(self, encoder: nn.Module, *, epoch: int) -> int | None:
        """Returns `WHOLE`."""
        return WHOLE


class Gradual(Freezing):
    """Gradual unfreezing: at first only the top layer trains, then one more layer at a time.

    Howard and Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.3. The embeddings come
    last.
    """

    kind: Literal["gradual"] = "gradual"
    every: int = Field(default=1, ge=1)
    """Epochs from one layer to the next."""

    def frozen_modules(self, encoder: nn.Module, *, epoch: int) -> list[nn.Module]:
        """Returns the embeddings and the layers whose turn has not come."""
        parts = separate_layers(encoder, "run.freezing.kind")
        depth = self.frozen_depth(encoder, epoch=epoch)
        return [] if depth is None else [*parts.below, *parts.layers[:depth]]

    def frozen_depth(self, encoder: nn.Module, *, epoch: int) -> int | None:
        """Returns the number of layers whose turn has not come."""
        layers = separate_layers(encoder, "run.freezing.kind").layers
        # The top layer trains from the first epoch on, then one more at a time; below 0 the turn of
        # the embeddings has come.
        depth = len(layers) - 1 - (epoch - 1) // self.every
        return depth if depth >= 0 else None

    def changes_at(self, epoch: int) -> bool:
        """Returns whether a layer's turn comes."""
        return (epoch - 1) % self.every == 0


class BiasOnly(Freezing):
    """Only the bias terms of the encoder train, those of its norms included.

    BitFit, Ben Zaken et al. 2022, https://arxiv.org/abs/2106.10199.
    """

    kind: Literal["bias_only"] = "bias_only"

    def frozen_parameters(self, encoder: nn.Module, *, epoch: int) -> set[nn.Parameter]:
        """Returns everything but biases."""
        # No module is frozen as a whole, so dropout goes on in all of them.
        frozen = {p for name, p in encoder.named_parameters() if not name.endswith("bias")}
        if len(frozen) == len(list(encoder.parameters())):
            raise ConfigError("run.freezing.kind: this encoder has no biases, so none can train")
        return frozen

    def frozen_in_writer(self, writer: nn.Module) -> set[nn.Parameter]:
        """Returns everything but biases."""
        return {p for name, p in writer.named_parameters() if not name.endswith("bias")}


def _depth(encoder: nn.Module, layers: int) -> int:
    # What comes after the last layer (a norm) may train although all layers are frozen.
    parts = encoder_parts(encoder)
    return WHOLE if layers == len(parts.layers) and not parts.above else layers


def _check_layers(found: int, depth: int) -> None:
    if found > depth:
        raise ConfigError(
            f"run.freezing.layers: expected at most {depth}, the layers of the encoder; "
            f"found {found}"
        )
