"""Evaluation: predictions for a split, and the scores of every task over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from mtl_core.data.batching import rows_by_length
from mtl_core.data.collate import Collator
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.store import EncodedDataset
from mtl_core.model.autocast import Precision, autocast
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Head, Task
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.training.distributed import Place
from mtl_core.training.report import Scores
from mtl_core.training.writing import write_split


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a split.

    Attributes:
        scores: Scores of every task that the split carries. A task on several data sets has the
            scores of all their rows together, and "<data set>/<score>" for each.
        main: Main score of every task.
        joint_accuracy: Share of labelled sentences with every labelled task right, in [0, 1];
            NaN when no task can be right or wrong, as with regression alone.
        rows: How many texts the split has, those without a label among them.
        finished: Data set name -> task -> outcome as it was scored.
        examples: Data set name -> how many texts the split has there.
    """

    scores: Scores
    main: dict[str, float]
    joint_accuracy: float
    rows: int
    finished: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    examples: Mapping[str, int] = field(default_factory=dict)

    def counted(self, tasks: Mapping[str, Task]) -> dict[str, float]:
        """Returns the main scores that an objective combines: those of no auxiliary task."""
        return {name: score for name, score in self.main.items() if not tasks[name].is_auxiliary}


def evaluate(
    model: MultiTaskModel,
    tasks: Mapping[str, Task],
    datasets: Mapping[str, EncodedDataset],
    *,
    split: str,
    place: Place,
    precision: Precision,
    collator: Collator,
) -> Evaluation:
    """Scores a model on a split of all data sets; every worker gets the same result.

    On "dev", thresholds are chosen for heads that have some; "test" uses them as they are. Texts
    are written for as many examples as `Task.writing` says; their scores are NaN where none are.

    Args:
        model: The model.
        tasks: Task name -> task.
        datasets: Data set name -> encoded data; those without the split are passed over.
        split: "dev" or "test".
        place: The workers share the sentences among them.
        precision: What the forward pass computes in.
        collator: Makes batches.
    """
    was_training = model.training
    model.eval()
    outcomes = {
        name: predict_split(model, rows, tasks, place=place, precision=precision, collator=collator)
        for name, dataset in datasets.items()
        if (rows := dataset.splits.get(split)) is not None
    }
    scores, finished = _finish(model, tasks, outcomes, calibrates=split == "dev")
    model.train(was_training)
    main = {name: values[tasks[name].main_score] for name, values in scores.items()}
    examples = {name: datasets[name].splits[split].num_examples for name in outcomes}
    joint = joint_accuracy(tasks, list(finished.values()))
    return Evaluation(scores, main, joint, sum(examples.values()), finished, examples)


def _finish(
    model: MultiTaskModel,
    tasks: Mapping[str, Task],
    outcomes: Mapping[str, Mapping[str, Outcome]],
    *,
    calibrates: bool,
) -> tuple[Scores, dict[str, dict[str, Outcome]]]:
    """Returns the scores, and data set -> task -> outcome as it was scored."""
    finished: dict[str, dict[str, Outcome]] = {name: {} for name in outcomes}
    scores: Scores = {}
    for name, task in tasks.items():
        carriers = {dataset: one[name] for dataset, one in outcomes.items() if name in one}
        if carriers:
            scores[name], found = score_task(
                task, model.head(name), carriers, calibrates=calibrates
            )
            for dataset, outcome in found.items():
                finished[dataset][name] = outcome
    return scores, finished


def score_task(
    task: Task, head: Head, carriers: Mapping[str, Outcome], *, calibrates: bool
) -> tuple[dict[str, float], dict[str, Outcome]]:
    """Scores what a head has decoded.

    Args:
        task: The task.
        head: Its head.
        carriers: Data set name -> what the head decoded of its rows; at least one.
        calibrates: Whether the head learns from them first, as from dev.

    Returns:
        The scores, the main score first; and data set name -> the outcome as it was scored.
    """
    collected = {dataset: task.collect(outcome) for dataset, outcome in carriers.items()}
    # On all data sets together: the head has one set of thresholds. Before `finish`, which
    # applies them; on every worker alike, as all have the same outcomes.
    if calibrates:
        task.calibrate(head, Outcome.joined(list(collected.values())))
    finished = {dataset: task.finish(head, one) for dataset, one in collected.items()}
    found = _scores(task, finished)
    # The main score comes first: it is the one that tables show.
    return {task.main_score: found[task.main_score]} | found, finished


def main_scores(
    scores: Mapping[str, Mapping[str, float]], tasks: Mapping[str, Task]
) -> dict[str, float]:
    """Returns task name -> its main score, of the tasks that have been scored."""
    return {name: scores[name][task.main_score] for name, task in tasks.items() if name in scores}


def predict_split(
    model: MultiTaskModel,
    rows: EncodedSplit,
    tasks: Mapping[str, Task],
    *,
    place: Place,
    precision: Precision,
    collator: Collator,
    is_read: bool = False,
) -> dict[str, Outcome]:
    """Returns task name -> predictions and gold labels of all rows, in order.

    Args:
        model: The model, in evaluation mode.
        rows: The split.
        tasks: Task name -> task.
        place: The workers share the rows.
        precision: What is computed in.
        collator: Makes batches.
        is_read: Whether rows are read as for a prediction (`Task.read`), and not decoded.
    """
    names = [name for name in rows.labels if name in tasks]
    batches = rows_by_length(rows, batch_size=collator.batch_size)[place.rank :: place.world_size]
    local: dict[str, dict[int, Decoded]] = {name: {} for name in names}
    with torch.inference_mode(), autocast(place.device, precision):
        for numbers in batches:
            # The seed is the same in every evaluation, so that masking hides the same words.
            batch = collator(rows, numbers, seed=()).to(place.device)
            for name, logits in model(batch, names).items():
                head = model.head(name)
                read = tasks[name].read(head, logits, batch) if is_read else None
                predicted = head.decode(logits, batch) if read is None else read
                local[name].update(zip(numbers.tolist(), predicted, strict=True))
    outcomes = gathered(local, rows, place)
    return with_texts(outcomes, model, rows, tasks, place=place, precision=precision)


def gathered(
    local: Mapping[str, Mapping[int, Decoded]], rows: EncodedSplit, place: Place
) -> dict[str, Outcome]:
    """Returns task name -> predictions and gold labels of all rows, in order.

    Args:
        local: Task name -> row -> what this worker's heads decoded of its share.
        rows: The split.
        place: All workers come here once per split, also one that had no batch.
    """
    # By row number: how many workers there are must not change the order of what is scored.
    parts = place.gather(local)
    outcomes = {}
    for name in local:
        by_row = {row: found for part in parts for row, found in part[name].items()}
        predicted = [by_row[row] for row in range(len(rows))]
        outcomes[name] = Outcome(predicted, rows.gold(name), rows.source)
    return outcomes


def with_texts(
    outcomes: Mapping[str, Outcome],
    model: MultiTaskModel,
    rows: EncodedSplit,
    tasks: Mapping[str, Task],
    *,
    place: Place,
    precision: Precision,
) -> dict[str, Outcome]:
    """Returns task name -> outcome, with texts for those tasks that write.

    Args:
        outcomes: Task name -> what was read off the logits.
        model: The model, in evaluation mode.
        rows: The split.
        tasks: Task name -> task, which says how texts are written, and for how many examples.
        place: All workers come here once per split; they share the prompts.
        precision: What is computed in.
    """
    found = dict(outcomes)
    for name, outcome in outcomes.items():
        if (writing := tasks[name].writing) is not None:
            written = write_split(model, rows, name, writing, place=place, precision=precision)
            found[name] = replace(outcome, written=written)
    return found


def joint_accuracy(tasks: Mapping[str, Task], outcomes: Sequence[Mapping[str, Outcome]]) -> float:
    """Returns the share of labelled rows with every labelled task right, over all data sets.

    Auxiliary tasks do not count.
    """
    parts = [found for one in outcomes if (found := joint_parts(tasks, one)) is not None]
    right, labelled = np.concatenate(parts).sum(axis=0).tolist() if parts else (0, 0)
    return right / labelled if labelled else float("nan")


def joint_parts(
    tasks: Mapping[str, Task], outcomes: Mapping[str, Outcome]
) -> npt.NDArray[np.int64] | None:
    """Returns (whether every labelled task is right, whether there is one) of each row, (rows, 2).

    None where rows of no task can be right or wrong.
    """
    judged = {
        name: tasks[name].is_right(outcome)
        for name, outcome in outcomes.items()
        if not tasks[name].is_auxiliary
    }
    known = {name: is_right for name, is_right in judged.items() if is_right is not None}
    if not known:
        return None
    # (rows,): an unlabelled task counts as right, so rows without any label are left out.
    is_labelled = np.any([outcomes[name].is_labelled() for name in known], axis=0)
    is_right = np.all(list(known.values()), axis=0) & is_labelled
    return np.stack([is_right, is_labelled], axis=1).astype(np.int64)


def _scores(task: Task, outcomes: Mapping[str, Outcome]) -> dict[str, float]:
    if len(outcomes) == 1:
        return task.score(next(iter(outcomes.values())))
    parts = {
        f"{dataset}/{score}": value
        for dataset, outcome in outcomes.items()
        for score, value in task.score(outcome).items()
    }
    return task.score(Outcome.joined(list(outcomes.values()))) | parts
