"""Scores of a split on draws of its rows, by which intervals allow for other rows than these.

The draws of a data set are the same for every model, so that models can be compared draw by draw,
and the same for all its tasks, since those often err on the same rows.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_core.tasks.base import Task
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.rescoring import Draws, Rescore, ratio
from mtl_core.training.evaluation import Evaluation, joint_parts
from mtl_core.training.objectives.base import Objective, counted_tasks

COUNT = 1000
"""How many draws are made. The variance that is found of them is known to 4.5 %."""
_NUMBERS = 4_000_000
"""How many counts are kept at once, of 8 bytes each."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is drawn to score something anew.

    Attributes:
        rescore: Scores draws of its entries.
        entries: For each data set what is drawn of it and how much there is, and number of the one
            that each entry is a piece of, (entries,).
    """

    rescore: Rescore
    entries: tuple[tuple[str, int, npt.NDArray[np.int64]], ...]

    def score(self, counts: Mapping[str, Draws]) -> Scores:
        # (draws, drawn) of each data set -> (draws, entries) of all of them, as they are joined
        return self.rescore(np.hstack([counts[key][:, of] for key, _, of in self.entries]))


def drawn_scores(
    evaluation: Evaluation,
    tasks: Mapping[str, Task],
    objective: Objective,
    *,
    count: int = COUNT,
) -> dict[str, Scores]:
    """Returns flat name -> a score on the rows as they are, and on each draw of them.

    Of the main score of every task, joint accuracy, and the combined score; (1 + count,). What
    cannot be scored so is left out.

    Args:
        evaluation: Of a split, with what was scored.
        tasks: Task name -> task.
        objective: What makes one number of the main scores.
        count: How many draws are made.
    """
    parts = _tasks_drawn(evaluation, tasks)
    if (joint := _joint_drawn(evaluation, tasks)) is not None:
        parts["joint_accuracy"] = joint
    sizes = {key: size for one in parts.values() for key, size, _ in one.entries}
    chunks = [
        {name: one.score(counts) for name, one in parts.items()} for counts in _counts(sizes, count)
    ]
    whole = {f"{name}/{tasks[name].main_score}": score for name, score in evaluation.main.items()}
    whole["joint_accuracy"] = evaluation.joint_accuracy
    found = {
        name: np.concatenate([[whole[name]], *(chunk[name] for chunk in chunks)]) for name in parts
    }
    return found | _combined(found, tasks, objective)


def _tasks_drawn(evaluation: Evaluation, tasks: Mapping[str, Task]) -> dict[str, _Drawn]:
    found = {}
    for name in evaluation.main:
        outcomes = {key: one[name] for key, one in evaluation.finished.items() if name in one}
        rescore = tasks[name].rescore(Outcome.joined(list(outcomes.values())))
        if rescore is not None:
            entries = [_entries(evaluation, key, name, one) for key, one in outcomes.items()]
            found[f"{name}/{tasks[name].main_score}"] = _Drawn(rescore, tuple(entries))
    return found


def _joint_drawn(evaluation: Evaluation, tasks: Mapping[str, Task]) -> _Drawn | None:
    parts, entries = [], []
    for key, outcomes in evaluation.finished.items():
        if (found := joint_parts(tasks, outcomes)) is not None:
            # Tasks of which rows are right or wrong have the rows of the data.
            one = next(one for one in outcomes.values() if len(one.predicted) == len(found))
            parts.append(found)
            entries.append(_entries(evaluation, key, "", one))
    return _Drawn(ratio(np.concatenate(parts)), tuple(entries)) if parts else None


def _entries(
    evaluation: Evaluation, dataset: str, task: str, outcome: Outcome
) -> tuple[str, int, npt.NDArray[np.int64]]:
    """Returns what is drawn to score an outcome: texts with all their pieces, if it knows them."""
    count, texts = len(outcome.predicted), evaluation.examples[dataset]
    source = outcome.source
    if source is not None and (len(source), len(source.of_row)) == (texts, count):
        return dataset, texts, source.of_row.astype(np.int64)
    # Where some texts are not scored, such as questions without a known answer, the others are
    # drawn for this task by itself.
    key = dataset if count == texts else f"{dataset}/{task}"
    return key, count, np.arange(count)


def _counts(sizes: Mapping[str, int], count: int) -> Iterator[dict[str, Draws]]:
    """Yields how often each text stands in each draw, some draws at a time, (draws, texts)."""
    # Named by what is drawn from, in every process alike.
    generators = {
        key: np.random.default_rng(list(hashlib.sha256(f"{key}:{size}".encode()).digest()))
        for key, size in sizes.items()
    }
    step = max(1, _NUMBERS // max(1, sum(sizes.values())))
    for first in range(0, count, step):
        yield {
            key: _draws(generators[key], min(step, count - first), size)
            for key, size in sizes.items()
        }


def _draws(generator: np.random.Generator, count: int, size: int) -> Draws:
    # One draw after the other, so that they are the same however many are made at a time.
    drawn = (np.bincount(generator.integers(size, size=size), minlength=size) for _ in range(count))
    return np.stack(list(drawn)).astype(np.float64)


def _combined(
    found: Mapping[str, Scores], tasks: Mapping[str, Task], objective: Objective
) -> dict[str, Scores]:
    """Returns the combined score of the rows as they are, and of each draw; {} without one."""
    names = {name: f"{name}/{task.main_score}" for name, task in tasks.items()}
    main = {name: found[key] for name, key in names.items() if key in found}
    if not main.keys() >= set(counted_tasks(objective, tasks)):
        return {}
    main = {name: scores for name, scores in main.items() if not tasks[name].is_auxiliary}
    length = len(next(iter(found.values())))
    joint = found.get("joint_accuracy", np.full(length, np.nan))
    rows = zip(joint.tolist(), *(scores.tolist() for scores in main.values()), strict=True)
    values = [objective.combine(dict(zip(main, row, strict=True)), one) for one, *row in rows]
    return {"combined": np.array(values)}
