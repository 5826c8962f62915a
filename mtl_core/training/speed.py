"""How long a model takes to predict: milliseconds per sentence, measured on rows of dev."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import median

import torch

from mtl_core.data.batching import rows_by_length
from mtl_core.data.collate import Collator
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.store import EncodedDataset
from mtl_core.model.autocast import Precision, autocast
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.training.distributed import Place

_BATCHES = 8
"""Batches of a data set that are timed, from the shortest rows to the longest."""


def ms_per_sentence(
    model: MultiTaskModel,
    tasks: Collection[str],
    datasets: Mapping[str, EncodedDataset],
    *,
    place: Place,
    precision: Precision,
    collator: Collator,
) -> float:
    """Returns the median time of a prediction for a sentence, in milliseconds.

    What a predictor computes: the whole encoder, all heads, decoding; without cutting texts into
    sub-words. It is a figure of this machine as it is used now, and never the same twice. Several
    workers measure side by side, and the slowest counts, so that all have the same number.

    Args:
        model: The model.
        tasks: Names of its tasks.
        datasets: Data set name -> encoded data, without kept states of frozen layers: with them
            less would be computed than in a prediction.
        place: Where it runs.
        precision: What the forward pass computes in.
        collator: Makes batches.
    """
    was_training = model.training
    model.eval()
    times: list[float] = []
    with torch.inference_mode(), autocast(place.device, precision):
        for dataset in datasets.values():
            if (rows := dataset.splits.get("dev")) is not None:
                names = [name for name in rows.labels if name in tasks]
                times += _times(model, names, rows, place.device, collator)
    model.train(was_training)
    return max(place.gather(median(times)))


def _times(
    model: MultiTaskModel,
    names: Sequence[str],
    rows: EncodedSplit,
    device: torch.device,
    collator: Collator,
) -> Iterator[float]:
    """Yields the milliseconds per text of some batches, from the shortest rows to the longest."""
    batches = rows_by_length(rows, batch_size=collator.batch_size)
    chosen = batches[:: max(1, len(batches) // _BATCHES)]
    # The first is not timed: kernels are chosen, memory is taken.
    for number, numbers in enumerate((chosen[0], *chosen)):
        batch = collator(rows, numbers, seed=()).to(device)
        start = time.perf_counter()
        for name, logits in model(batch, names).items():
            model.head(name).decode(logits, batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number:
            # Several rows may be pieces of one text.
            texts = len(numbers) * rows.num_examples / len(rows)
            yield 1000 * (time.perf_counter() - start) / texts
