"""Assets: tokenizer, encoded data and pretrained encoder, loaded once for many runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from mtl_core.config import RunConfig
from mtl_core.data.collate import BATCH_SIZE, Collator
from mtl_core.data.label_notes import check_known_labels, with_label_notes
from mtl_core.data.merge import merge_labels
from mtl_core.data.notes import DataNote, by_importance
from mtl_core.data.store import EncodedDataset, load_dataset
from mtl_core.data.training_texts import TrainingTexts
from mtl_core.data.unseen import with_leaks_between
from mtl_core.data.word_dropout import WordDropout
from mtl_core.errors import ConfigError, DataError
from mtl_core.fetching.missing import check_fetched
from mtl_core.files import hash_files
from mtl_core.model.adapters import AdaptersAlone
from mtl_core.model.multitask import MultiTaskModel, build_model
from mtl_core.model.outline import check_targets, longest_input
from mtl_core.model.prefix_cache import PrefixCache
from mtl_core.model.shared import SharedBackbone
from mtl_core.model.starting import StartingWeights
from mtl_core.model.weights_hash import weights_hash
from mtl_core.tasks.base import Task
from mtl_core.tasks.building import build_task
from mtl_core.tasks.kinds import outside_code

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Data:
    """The encoded data sets of a run, and the tokenizer that made them."""

    tokenizer: "PreTrainedTokenizerFast"
    datasets: Mapping[str, EncodedDataset]
    max_length: int

    @property
    def notes(self) -> tuple[DataNote, ...]:
        """What a user should know of all data sets, the most important first."""
        return by_importance(note for dataset in self.datasets.values() for note in dataset.notes)


def load_data(config: RunConfig) -> Data:
    """Reads and encodes all data sets, or opens what an earlier process encoded.

    Raises:
        ConfigError: The encoder's tokenizer cannot be used.
        DataError: A data set cannot be used.
    """
    tokenizer = config.encoder.load_tokenizer(TrainingTexts(config.datasets, config.columns))
    max_length = longest_input(tokenizer, config.encoder)
    check_targets(config.encoder, {name: config.layout(name) for name in config.datasets})
    return Data(tokenizer, load_datasets(config, tokenizer, max_length=max_length), max_length)


def load_datasets(
    config: RunConfig, tokenizer: "PreTrainedTokenizerFast", *, max_length: int
) -> dict[str, EncodedDataset]:
    """Returns data set name -> encoded data, with one numbering of labels per task.

    Raises:
        DataError: A data set cannot be used.
    """
    check_fetched(config.datasets.values())
    for name, section in config.datasets.items():
        section.check_files(f"run.datasets.{name}")
    datasets = {
        name: load_dataset(
            name,
            section,
            config.columns(name),
            tokenizer,
            layout=config.layout(name),
            max_length=max_length,
        )
        for name, section in config.datasets.items()
    }
    # After all of them are encoded: the ids of a task's labels depend on every data set that has
    # it.
    merged = merge_labels(datasets)
    check_known_labels(merged, [name for name, one in config.datasets.items() if one.limit])
    return with_leaks_between(with_label_notes(merged))


def build_tasks(config: RunConfig, datasets: Mapping[str, EncodedDataset]) -> dict[str, Task]:
    """Returns task name -> task, with the labels found in the data."""
    return {
        # After `merge_labels` all data sets of a task carry the same labels: any of them will do.
        name: build_task(name, section, datasets[section.datasets[0]].labels[name])
        for name, section in config.tasks.items()
    }


def inputs_of(config: RunConfig, datasets: Mapping[str, EncodedDataset]) -> dict[str, str]:
    """Returns what a configuration only names -> a hash of what is there.

    The data sets, and the code of task kinds that stand outside the package; an encoder is taken
    to stay as it is.
    """
    data = {f"data set '{name}'": dataset.content for name, dataset in datasets.items()}
    kinds = {
        f"code of task '{name}'": hash_files([code])
        for name, section in config.tasks.items()
        if (code := outside_code(section)) is not None
    }
    return data | kinds


def build_collator(
    config: RunConfig,
    tokenizer: "PreTrainedTokenizerFast",
    *,
    batch_size: int | None = None,
) -> Collator:
    """Returns what makes the batches of a run.

    Args:
        config: The run.
        tokenizer: Its tokenizer.
        batch_size: Rows per batch of an evaluation; None = `BATCH_SIZE`.

    Raises:
        ConfigError: The tokenizer lacks what hides words of its batches.
    """
    changes = {
        name: change
        for name, section in config.tasks.items()
        if (change := section.batch_change(name, tokenizer)) is not None
    }
    return Collator(
        # The attention mask hides what is padded: without a padding token 0 will do.
        tokenizer.pad_token_id or 0,
        changes,
        batch_size or BATCH_SIZE,
        WordDropout.of(tokenizer, share=config.training.word_dropout),
    )


def count_features(config: RunConfig, datasets: Mapping[str, EncodedDataset]) -> dict[str, int]:
    """Returns task name -> extra dense numbers that its head sees.

    Raises:
        DataError: The data sets of a task have different numbers of features.
    """
    found: dict[str, int] = {}
    for name, section in config.tasks.items():
        sizes = {
            key: _num_features(datasets[key]) if section.column_in(key, name).takes_features else 0
            for key in section.datasets
        }
        if len(set(sizes.values())) > 1:
            text = ", ".join(f"{key} {size}" for key, size in sizes.items())
            raise DataError(
                f"run.tasks.{name}.dataset: its data sets need the same number of features; "
                f"found {text}"
            )
        found[name] = next(iter(sizes.values()))
    return found


def count_parts(config: RunConfig, datasets: Mapping[str, EncodedDataset]) -> dict[str, list[int]]:
    """Returns task name -> parts that the texts of its data sets have, [1], [2] or [1, 2].

    Pairs have two, and so have questions with their contexts.
    """
    return {
        name: sorted({_num_parts(datasets[key]) for key in section.datasets})
        for name, section in config.tasks.items()
    }


def _num_parts(dataset: EncodedDataset) -> int:
    # Layouts write segments only for rows of two parts; a prompt makes one of them.
    train = dataset.splits["train"]
    is_pair = train.source is not None and any(train.source.texts)
    return 2 if is_pair or train.token_types is not None else 1


def _num_features(dataset: EncodedDataset) -> int:
    features = dataset.splits["train"].features  # (rows, features)
    return 0 if features is None else features.shape[1]


class Assets:
    """Tokenizer, data and encoder of a run, kept for the next run that needs the same.

    Only one run at a time may use them: all runs share the one backbone. `new_model` puts back, at
    the start of each, those of its pretrained weights that the run before may have changed. Call
    `new_model`, train, and then perhaps `merge_adapters`; the next `new_model` makes the model
    before unusable.
    """

    def __init__(
        self,
        key: str,
        data: Data,
        kept: "PreTrainedModel",
        start: StartingWeights | None = None,
    ) -> None:
        self.key = key
        self.data = data
        self.start = start
        self._backbone = SharedBackbone(kept, start)

    @classmethod
    def load(
        cls, config: RunConfig, *, device: torch.device, start: StartingWeights | None = None
    ) -> "Assets":
        """Loads tokenizer, data and backbone; the backbone goes to `device`.

        Args:
            config: The run.
            device: Where the backbone goes.
            start: Weights to begin with; None = the pretrained ones, and new heads.

        Raises:
            ConfigError: The encoder cannot be used, or that of `start` is another one.
            DataError: A data set cannot be used.
        """
        data = load_data(config)
        kept = config.encoder.load()
        return cls(assets_key(config), data, kept.to(device), start)

    @cached_property
    def prefix_cache(self) -> PrefixCache:
        """What frozen layers of this encoder compute, kept on disk; see `PrefixCache`."""
        return PrefixCache(weights_hash(self._backbone.weights))

    def new_model(self, config: RunConfig, tasks: Mapping[str, Task]) -> MultiTaskModel:
        """Returns a model with pretrained encoder weights and new heads, or the starting weights.

        Heads, pooling and adapters draw from torch's global generator: seed it first.

        Raises:
            ConfigError: The encoder has no place for the adapters, its device no kernels for them,
                or it cannot compute layers again.
        """
        if self.start is not None and config.freezing.saves_adapters:
            raise ConfigError(
                f"run.freezing.saved: adapters alone belong to the weights of "
                f"'{config.encoder.name}', and this run begins with those of {self.start.name}; "
                "use merged"
            )
        training = config.training
        kept = self._backbone.begin(is_checkpointing=training.gradient_checkpointing)
        model = build_model(
            config.encoder,
            kept,
            self.data.tokenizer,
            tasks,
            num_features=count_features(config, self.data.datasets),
        )
        if self.start is not None:
            self.start.fill(model, tasks)
        # After the heads: they draw the same numbers, adapters or not.
        self._backbone.adapt(model, config.freezing, epochs=training.epochs)
        for name, section in config.tasks.items():
            # A task of weight 0 gives its head no gradient, and DistributedDataParallel would wait
            # for one of every parameter that trains.
            model.head(name).requires_grad_(section.weight > 0 and not section.freeze_head)
        return model.to(self._backbone.device)  # heads were drawn on the CPU, alike for any device

    def merge_adapters(self) -> None:
        """Adds the adapters of the last model, if it has any, to its encoder's weights."""
        self._backbone.merge()

    def adapters_alone(self) -> AdaptersAlone | None:
        """Returns the adapters of the last model, as they are saved; None = it has none."""
        return self._backbone.alone()


def assets_key(config: RunConfig) -> str:
    """Returns a hash of all settings that shape the assets; runs with the same share them."""
    parts = {
        "encoder": config.encoder.model_dump(mode="json"),
        "datasets": {
            name: section.model_dump(mode="json") for name, section in config.datasets.items()
        },
        # Of a task only what shapes the encoded data: trials with other losses or heads share it.
        "tasks": {
            name: [
                [config.layout(key).cache_key(), task.column_in(key, name).cache_key()]
                for key in task.datasets
            ]
            for name, task in config.tasks.items()
        },
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
