"""The texts of a report: for how many examples they are written, and what stands where none are."""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

from mtl_core.data.encoded import EncodedSplit
from mtl_core.model.autocast import Precision
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Task
from mtl_core.tasks.outcome import Outcome
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, with_texts
from mtl_core.training.report import Report, Scores


def as_due(
    tasks: Mapping[str, Task], before: Sequence[Report], *, is_last: bool
) -> dict[str, Task]:
    """Returns the tasks of a report: those that write do it for as many examples as it asks for.

    Args:
        tasks: Task name -> task.
        before: The reports before of its kind, on a sample of dev or on all of it: the first of
            each kind has texts of its own.
        is_last: Whether the run ends with it.
    """
    due = dict(tasks)
    for name, task in tasks.items():
        if task.writing is not None:
            due[name] = copy(task)
            due[name].writing = task.writing.for_report(len(before) + 1, is_last=is_last)
    return due


def with_texts_of_a_half(
    outcomes: Mapping[str, Mapping[str, Outcome]],
    model: MultiTaskModel,
    splits: Mapping[str, EncodedSplit],
    tasks: Mapping[str, Task],
    *,
    place: Place,
    precision: Precision,
) -> dict[str, dict[str, Outcome]]:
    """Returns the outcomes of a half of dev with texts, for half as many examples as in a report.

    Each setting of decoding that is tried costs half of what a report does.

    Args:
        outcomes: Task name -> data set -> what was read off the logits of a split.
        model: The model, in evaluation mode.
        splits: Data set -> the split.
        tasks: Task name -> task.
        place: All workers call this together.
        precision: What is computed in.
    """
    due = as_due(tasks, (), is_last=True)
    for task in due.values():
        if task.writing is not None and task.writing.examples is not None:
            task.writing = replace(task.writing, examples=(task.writing.examples + 1) // 2)
    found: dict[str, dict[str, Outcome]] = {name: {} for name in outcomes}
    for key, split in splits.items():
        own = {name: one[key] for name, one in outcomes.items() if key in one}
        written = with_texts(own, model, split, due, place=place, precision=precision)
        for name, outcome in written.items():
            found[name][key] = outcome
    return found


def with_earlier_texts(
    result: Evaluation, tasks: Mapping[str, Task], before: Sequence[Report]
) -> tuple[Evaluation, bool]:
    """Gives an evaluation the scores of texts that the last report of its kind had.

    A report that stands on them is to have the objective of that one, so that it is never better:
    which scores belong to the weights of the moment, and which to earlier ones, nobody could tell.

    Args:
        result: Scores of texts are NaN in it where none were written.
        tasks: Task name -> task.
        before: The reports before of its kind.

    Returns:
        The evaluation, and whether its objective is one of the moment.
    """
    if not before:
        return result, True
    last = before[-1].dev
    scores: Scores = {
        task: {
            name: last.get(task, {}).get(name, value) if math.isnan(value) else value
            for name, value in found.items()
        }
        for task, found in result.scores.items()
    }
    # The main score comes first.
    main = {task: next(iter(found.values())) for task, found in scores.items()}
    filled = replace(result, scores=scores, main=main)
    is_new = all(
        math.isnan(value) == math.isnan(result.counted(tasks)[task])
        for task, value in filled.counted(tasks).items()
    )
    return filled, is_new
