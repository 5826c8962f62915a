"""Finds where a trained model errs: on dev, for the report of a study, or on files of a user."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtl_core.data.collate import Collator
from mtl_core.data.encoded import EncodedSplit
from mtl_core.error_counts import joined
from mtl_core.model.autocast import Precision
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.base import Task
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import predict_split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def find_errors(
    model: MultiTaskModel,
    tasks: Mapping[str, Task],
    splits: Mapping[str, EncodedSplit],
    tokenizer: "PreTrainedTokenizerFast",
    *,
    place: Place,
    precision: Precision,
    collator: Collator,
) -> dict[str, TaskErrors]:
    """Returns task name -> where the model errs; a kind of task that does not tell is missing.

    The heads stay as they are: what they learn from dev they have learnt.

    Args:
        model: The model.
        tasks: Task name -> task.
        splits: Data set name -> the rows to look at. Not those of test: whoever has seen where a
            model errs on them chooses by them.
        tokenizer: The tokenizer of the model.
        place: The workers share the rows; all call this together, and the first gets what is found.
        precision: What the forward pass computes in.
        collator: Makes batches.
    """
    was_training = model.training
    model.eval()
    outcomes = {
        name: predict_split(
            model, rows, tasks, place=place, precision=precision, collator=collator, is_read=True
        )
        for name, rows in splits.items()
    }
    model.train(was_training)
    if place.rank != 0:
        return {}
    texts = {name: RowTexts(rows, tokenizer) for name, rows in splits.items()}
    found = {name: _of_task(model, task, outcomes, texts) for name, task in tasks.items()}
    return {name: joined(parts) for name, parts in found.items() if parts}


def _of_task(
    model: MultiTaskModel,
    task: Task,
    outcomes: Mapping[str, Mapping[str, Outcome]],
    texts: Mapping[str, RowTexts],
) -> dict[str, TaskErrors]:
    """Returns data set name -> where a task errs on it."""
    head = model.head(task.name)
    return {
        dataset: found
        for dataset, by_task in outcomes.items()
        if task.name in by_task
        and (found := task.errors(head, by_task[task.name], texts[dataset])) is not None
    }
