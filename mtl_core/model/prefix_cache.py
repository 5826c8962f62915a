"""The cache of what frozen layers compute: hidden states on disk, shared by trials and workers.

Frozen layers run without dropout, so what they make of a text never changes. A folder is named by
the hash of all that shapes its content (the encoder's weights, configuration and code, the depth,
data and precision), and built by the first process that wants it; all others map the same file.
"""

import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mtl_core.built import Room, open_or_build
from mtl_core.data.batching import make_batch, rows_by_length
from mtl_core.data.encoded import EncodedSplit, FrozenStates
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import TrainingError
from mtl_core.full_disk import take_room
from mtl_core.model.autocast import DTYPES, Precision, autocast
from mtl_core.model.looking_ahead import looking_ahead
from mtl_core.model.prefix import as_inputs, run_prefix
from mtl_core.model.probe import evaluating, facts_of
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

_SPLITS = ("train", "dev")  # Test is scored once, at the end: keeping it would only take room.
_BATCH = 64
_FORMAT = 3
"""Counts up when the files change, so that old ones are built again."""
_NOT_COMPUTED_WITH = {"_name_or_path", "architectures", "dtype", "transformers_version"}
"""What an encoder's configuration says of its file; `weights_hash` and the settings know better."""


@dataclass(frozen=True, slots=True)
class PrefixSettings:
    """How hidden states are computed and kept.

    Attributes:
        depth: Number of layers below; see `FrozenStates`.
        precision: What the states are computed in.
        dtype: What the files hold.
        budget: Bytes that all hidden states on this machine may take.
        layers_ahead: How many of the highest layers look ahead; 0 where all of those are above.
    """

    depth: int
    precision: Precision
    dtype: Precision
    budget: int
    layers_ahead: int = 0


class PrefixCache:
    """The hidden states that the runs of a process use; what was opened once stays mapped."""

    def __init__(self, weights: str) -> None:
        """Makes an empty cache.

        Args:
            weights: Hash of the encoder's pretrained weights.
        """
        self._weights = weights
        self._opened: dict[str, dict[str, Tensor]] = {}

    def apply(
        self,
        datasets: Mapping[str, EncodedDataset],
        encoder: "PreTrainedModel",
        settings: PrefixSettings,
    ) -> dict[str, EncodedDataset]:
        """Returns the data sets with the hidden states of their train and dev splits.

        What would not fit into the budget is computed in every step, with a warning.

        Args:
            datasets: The data sets; their token ids must be the same in every epoch.
            encoder: The encoder, with pretrained weights below the depth.
            settings: What is kept.
        """
        return {
            name: self._with_states(dataset, encoder, settings)
            for name, dataset in datasets.items()
        }

    def _with_states(
        self, dataset: EncodedDataset, encoder: "PreTrainedModel", settings: PrefixSettings
    ) -> EncodedDataset:
        splits = {name: dataset.splits[name] for name in _SPLITS}
        key = self._key(splits, encoder, settings)
        states = self._opened.get(key) or _open_or_build(
            key, dataset.name, splits, encoder, settings
        )
        if states is None:
            return dataset
        self._opened[key] = states
        changed = {
            name: replace(split, frozen=FrozenStates(settings.depth, states[name]))
            for name, split in splits.items()
        }
        return replace(dataset, splits={**dataset.splits, **changed})

    def _key(
        self,
        splits: Mapping[str, EncodedSplit],
        encoder: "PreTrainedModel",
        settings: PrefixSettings,
    ) -> str:
        # The budget is left out: it says whether states are kept, not what they are.
        digest = hashlib.sha256()
        parts = (
            _FORMAT,
            self._weights,
            _computed_with(encoder),
            # Weights of fewer bits compute something else.
            sorted({str(parameter.dtype) for parameter in encoder.parameters()}),
            importlib.metadata.version("transformers"),
            settings.depth,
            settings.layers_ahead,
            settings.precision,
            settings.dtype,
        )
        # All that shapes the numbers; a change that is missing here would give a run stale states.
        digest.update(repr(parts).encode())
        for split in splits.values():
            for ragged in (split.token_ids, split.token_types):
                if ragged is not None:
                    digest.update(np.ascontiguousarray(ragged.values).data)
                    digest.update(np.ascontiguousarray(ragged.offsets).data)
        return digest.hexdigest()[:32]


def _computed_with(encoder: "PreTrainedModel") -> str:
    """Returns the part of an encoder's configuration that shapes what it computes, as JSON."""
    config = json.loads(encoder.config.to_json_string(use_diff=False))
    return json.dumps({k: v for k, v in config.items() if k not in _NOT_COMPUTED_WITH})


def _open_or_build(
    key: str,
    name: str,
    splits: Mapping[str, EncodedSplit],
    encoder: "PreTrainedModel",
    settings: PrefixSettings,
) -> dict[str, Tensor] | None:
    root = cache_folder() / "prefix"
    width = facts_of(encoder).width
    sizes = {split: int(rows.token_ids.offsets[-1]) * width for split, rows in splits.items()}
    needed = sum(sizes.values()) * DTYPES[settings.dtype].itemsize

    def build(folder: Path) -> None:
        for split, rows in splits.items():
            build_states(folder / f"{split}.bin", rows, encoder, settings)

    states = open_or_build(
        root / key,
        lambda folder, _: _open(folder, sizes, width, settings),
        build,
        room=Room(needed, settings.budget),
    )
    if states is None:
        logger.warning(
            "the hidden states of data set '%s' take %.1f GiB, more than there is room for "
            "(training.prefix_cache_gib, or the disk of %s): frozen layers are computed in "
            "every step",
            name, needed / 2**30, root,
        )  # fmt: skip
    return states


def build_states(
    path: Path, split: EncodedSplit, encoder: "PreTrainedModel", settings: PrefixSettings
) -> None:
    """Computes the hidden states of a split into a file.

    Raises:
        TrainingError: A number is beyond the range of fp16, in which the file is kept.
    """
    width = facts_of(encoder).width
    size = int(split.token_ids.offsets[-1])
    dtype = DTYPES[settings.dtype]
    # A file of the full size, without content yet: it is mapped, and rows are written in any order.
    with path.open("wb") as file:
        take_room(file, size * width * dtype.itemsize)
    # Shared, so that what is written to the tensor is written to the file.
    states = torch.from_file(str(path), shared=True, size=size * width, dtype=dtype)
    states = states.view(size, width)
    with evaluating(encoder), autocast(encoder.device, settings.precision):
        for rows in rows_by_length(split, batch_size=_BATCH):
            batch = make_batch(split, rows, pad_token_id=0).to(encoder.device)
            inputs = as_inputs(batch, facts_of(encoder))
            with looking_ahead(encoder, batch.attention_mask, layers=settings.layers_ahead):
                hidden = run_prefix(encoder, settings.depth, inputs)
            is_token = batch.attention_mask.bool()  # (batch, seq)
            # Where each token of the batch stands in the file, (batch, seq); padding is masked out.
            places = split.token_ids.offsets[rows][:, None] + np.arange(is_token.shape[1])
            source = torch.from_numpy(places)[is_token.cpu()]
            kept = hidden[is_token].to(dtype)  # (sub-words of the batch, hidden)
            if dtype == torch.float16 and not kept.isfinite().all():
                raise TrainingError(
                    "training.prefix_cache: what the frozen layers make of the data is beyond the "
                    "range of fp16 (65504); use bf16 or fp32 there and for training.precision"
                )
            states[source] = kept.cpu()  # Both in the order of rows, then of their sub-words.


def _open(
    folder: Path, sizes: Mapping[str, int], width: int, settings: PrefixSettings
) -> dict[str, Tensor]:
    """Maps the files of a folder."""
    dtype = DTYPES[settings.dtype]
    return {
        # Mapped for this process alone, so that nothing can write into the file.
        split: torch.from_file(str(folder / f"{split}.bin"), shared=False, size=size, dtype=dtype)
        .view(-1, width)
        for split, size in sizes.items()
    }  # fmt: skip
