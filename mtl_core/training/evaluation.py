"""Evaluation: predictions for a split, and the scores of every task over it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from mtl_core.data.batching import make_batch, rows_by_length
from mtl_core.data.encode import NO_LABEL, EncodedSplit, Int64Array, Ragged
from mtl_core.data.store import EncodedDataset
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Outcome, Task
from mtl_core.training.distributed import Place
from mtl_core.training.report import Scores

_EVALUATION_BATCH = 128
"""Sentences a batch: no gradients are kept, so more fit than in training."""

LOST = -1
"""Predicted id of a word that was cut off: never right."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a split.

    Attributes:
        scores: Scores of every task that the split carries.
        main: Main score of every task.
        joint_accuracy: Share of labelled sentences with every labelled task right, in [0, 1].
    """

    scores: Scores
    main: dict[str, float]
    joint_accuracy: float


def evaluate(
    model: MultiTaskModel,
    tasks: Mapping[str, Task],
    datasets: Mapping[str, EncodedDataset],
    *,
    split: str,
    place: Place,
    precision: str,
    pad_token_id: int,
) -> Evaluation:
    """Scores a model on a split of all data sets; every worker gets the same result.

    Args:
        model: The model.
        tasks: Task name -> task.
        datasets: Data set name -> encoded data; those without the split are passed over.
        split: "dev" or "test".
        place: The workers share the sentences among them.
        precision: "bf16" or "fp32".
        pad_token_id: The tokenizer's padding id.
    """
    was_training = model.training
    model.eval()
    scores: Scores = {}
    main: dict[str, float] = {}
    right = labelled = 0
    for dataset in datasets.values():
        rows = dataset.splits.get(split)
        if rows is None:
            continue
        outcomes = predict_split(
            model, rows, place=place, precision=precision, pad_token_id=pad_token_id
        )
        for name, outcome in outcomes.items():
            scores[name] = tasks[name].score(outcome, dataset.labels[name].all)
            main[name] = scores[name][tasks[name].main_score]
        is_labelled = np.any([outcome.is_labelled() for outcome in outcomes.values()], axis=0)
        is_right = np.all([outcome.is_right() for outcome in outcomes.values()], axis=0)
        right += int((is_right & is_labelled).sum())
        labelled += int(is_labelled.sum())
    model.train(was_training)
    return Evaluation(scores, main, right / labelled if labelled else float("nan"))


def predict_split(
    model: MultiTaskModel,
    rows: EncodedSplit,
    *,
    place: Place,
    precision: str,
    pad_token_id: int,
) -> dict[str, Outcome]:
    """Returns task name -> predictions and gold labels of all rows, in order."""
    names = list(rows.labels)
    batches = rows_by_length(rows, batch_size=_EVALUATION_BATCH)[place.rank :: place.world_size]
    local: dict[str, dict[int, Int64Array]] = {name: {} for name in names}
    with (
        torch.inference_mode(),
        torch.autocast(place.device.type, torch.bfloat16, enabled=precision == "bf16"),
    ):
        for numbers in batches:
            batch = make_batch(rows, numbers, pad_token_id=pad_token_id).to(place.device)
            for name, logits in model(batch, names).items():
                best = logits.argmax(dim=-1).cpu().numpy()
                local[name].update(_by_row(rows, name, numbers, best))
    gathered = place.gather(local)
    return {
        name: _outcome(rows, name, {k: v for part in gathered for k, v in part[name].items()})
        for name in names
    }


def _by_row(
    rows: EncodedSplit, name: str, numbers: Int64Array, best: Int64Array
) -> dict[int, Int64Array]:
    """Cuts the padding off a batch of predictions and marks the words that were lost."""
    if not isinstance(rows.labels[name], Ragged):
        return {int(row): best[place : place + 1] for place, row in enumerate(numbers)}
    starts = rows.word_starts
    predictions = {}
    for place, row in enumerate(numbers):
        word_starts = starts.values[starts.offsets[row] : starts.offsets[row + 1]]
        predictions[int(row)] = np.where(word_starts < 0, LOST, best[place, : len(word_starts)])
    return predictions


def _outcome(rows: EncodedSplit, name: str, predicted: Mapping[int, Int64Array]) -> Outcome:
    labels = rows.labels[name]
    gold: list[Int64Array] = []
    for row in range(len(rows)):
        if isinstance(labels, Ragged):
            ids = labels.values[labels.offsets[row] : labels.offsets[row + 1]]
        else:
            ids = labels[row : row + 1]
        gold.append(np.array(ids[ids != NO_LABEL], dtype=np.int64))
    return Outcome([predicted[row] for row in range(len(rows))], gold)
