"""What outlives a run: tokenizer, encoded data, and the encoder with its pristine weights."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset, load_dataset
from mtl_core.model.encoder import load_encoder, load_tokenizer, longest_input
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Data:
    """The encoded data sets of a run, and the tokenizer that made them."""

    tokenizer: "PreTrainedTokenizerFast"
    datasets: Mapping[str, EncodedDataset]
    max_length: int


def load_data(config: RunConfig) -> Data:
    """Reads and encodes all data sets, or opens what an earlier process encoded.

    Raises:
        ConfigError: The encoder's tokenizer cannot be used.
        DataError: A data set cannot be used.
    """
    tokenizer = load_tokenizer(config.encoder.name, revision=config.encoder.revision)
    max_length = longest_input(tokenizer, config.encoder)
    datasets = {
        name: load_dataset(name, section, config.columns(name), tokenizer, max_length=max_length)
        for name, section in config.datasets.items()
    }
    return Data(tokenizer, datasets, max_length)


def build_tasks(config: RunConfig, datasets: Mapping[str, EncodedDataset]) -> dict[str, Task]:
    """Returns task name -> task, with the labels found in the data."""
    return {
        name: section.build(datasets[section.dataset].labels[name].trained)
        for name, section in config.tasks.items()
    }


class Assets:
    """Tokenizer, data and encoder of a run, kept for the next run that needs the same.

    Only one run at a time may use them: all runs share the one encoder, whose pretrained weights
    are copied back at the start of each.
    """

    def __init__(self, key: str, data: Data, encoder: "PreTrainedModel") -> None:
        self.key = key
        self.data = data
        self._encoder = encoder
        self._pristine: dict[str, Tensor] = {
            name: value.detach().clone() for name, value in encoder.state_dict().items()
        }

    @classmethod
    def load(cls, config: RunConfig, *, device: torch.device) -> "Assets":
        """Loads everything.

        Raises:
            ConfigError: The encoder cannot be used.
            DataError: A data set cannot be used.
        """
        data = load_data(config)
        encoder = load_encoder(config.encoder.name, revision=config.encoder.revision)
        # Weights stored as half precision train in single precision; autocast does the rest.
        return cls(assets_key(config), data, encoder.float().to(device))

    def new_model(self, config: RunConfig, tasks: Mapping[str, Task]) -> MultiTaskModel:
        """Returns a model with pretrained encoder weights and newly initialised heads.

        The heads draw from torch's global generator: seed it first.
        """
        self._encoder.load_state_dict(self._pristine)
        self._encoder.requires_grad_(True)
        for parameter in self._encoder.parameters():
            parameter.grad = None
        model = MultiTaskModel(
            self._encoder,
            tasks,
            pooling=config.encoder.pooling,
            frozen=config.freezing.frozen_modules(self._encoder),
        ).to(self._encoder.device)
        for name, section in config.tasks.items():
            # DistributedDataParallel waits for gradients that a task of weight 0 never gets.
            model.head(name).requires_grad_(section.weight > 0 and not section.freeze_head)
        return model


def assets_key(config: RunConfig) -> str:
    """Returns a hash of all settings that shape the assets; runs with the same share them."""
    parts = {
        "encoder": config.encoder.model_dump(mode="json"),
        "datasets": {
            name: section.model_dump(mode="json") for name, section in config.datasets.items()
        },
        "tasks": {
            name: [task.kind, task.dataset, task.column] for name, task in config.tasks.items()
        },
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
