"""The pretrained model that runs share: made ready for each, with adapters put in and taken out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtl_core.model.adapters import Adapters, AdaptersAlone
from mtl_core.model.checkpointing import use_checkpointing
from mtl_core.model.freezing import Freezing
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.pristine import Pristine
from mtl_core.model.starting import StartingWeights
from mtl_core.model.trained import frozen_in
from mtl_core.model.weights_hash import weights_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class SharedBackbone:
    """A pretrained model that one run after the other trains.

    The order of calls for each run: `begin`, make a `MultiTaskModel` of what it returns, `adapt`,
    train, and then perhaps `merge` or `alone`.
    """

    def __init__(self, kept: "PreTrainedModel", start: StartingWeights | None) -> None:
        """Takes the model.

        Args:
            kept: What a backbone has loaded, where it is to compute.
            start: Weights to begin with; None = those that it has.

        Raises:
            ConfigError: Those of `start` are of another model.
        """
        self._kept = kept
        self._adapters: Adapters | None = None
        self._pristine = Pristine(kept)
        if start is not None:
            self._pristine.replace(start.whole(self._pristine.weights))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self._kept.device
        return device

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Name -> weight before any run."""
        return self._pristine.weights

    def begin(self, *, is_checkpointing: bool) -> "PreTrainedModel":
        """Returns the model as it was before any run; all of it may train.

        Args:
            is_checkpointing: Whether its layers are computed again for the backward pass.

        Raises:
            ConfigError: They cannot be.
        """
        if self._adapters is not None:
            self._adapters.remove()
            self._adapters = None
        # Only after that: layers that stand aside for adapters may lie on another device.
        self._pristine.restore()
        # What the run before has frozen, and the gradients that it left, must not reach this one.
        self._kept.requires_grad_(True)
        for parameter in self._kept.parameters():
            parameter.grad = None
        use_checkpointing(self._kept, is_on=is_checkpointing)
        return self._kept

    def adapt(self, model: MultiTaskModel, freezing: Freezing, *, epochs: int) -> None:
        """Puts in the adapters of a run, drawn from torch's global generator, if it has any.

        Args:
            model: The model of the run.
            freezing: What keeps its weights, and what gets adapters.
            epochs: Epochs of the run.

        Raises:
            ConfigError: There is no place for them, or the device has no kernels for them.
        """
        freezing.check_device(self.device)
        self._adapters = freezing.add_adapters(model.encoder, model.writer)
        # What is not frozen in the last epoch is all that can change.
        self._pristine.keep(set(self._kept.parameters()) - frozen_in(model, freezing, epoch=epochs))

    def merge(self) -> None:
        """Adds the adapters of the run, if it has any, to the weights, and takes them out."""
        if self._adapters is not None:
            self._pristine.keep(self._adapters.merged_into)
            self._adapters.merge()
            self._adapters = None

    def alone(self) -> AdaptersAlone | None:
        """Returns the adapters of the run as they are saved; None = it has none."""
        if self._adapters is None:
            return None
        return AdaptersAlone(self._adapters, weights_hash(self.weights))
