"""Scores on test: the best report of a run, its model, and how sure its score is."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.data.unseen import unseen_rows
from mtl_core.export import export_best
from mtl_core.model.autocast import Precision
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.training.best import load_best
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.loop import recover_best
from mtl_core.training.objective import ObjectiveSection, counted_tasks
from tuning.trainers.messages import Scored, ScoreJob

_Scores = dict[str, float | Mapping[str, float]]


def score_on_test(
    job: ScoreJob, config: RunConfig, assets: Assets, objective: ObjectiveSection, place: Place
) -> Scored:
    """Scores the best report of a run on test; the first worker writes its model when asked to.

    Args:
        job: Where its checkpoint lies, and what is wanted.
        config: Its recipe.
        assets: Of that recipe.
        objective: The study's.
        place: This worker's; all workers of a trainer call this together.

    Raises:
        MtlError: The checkpoint cannot be had again, or a task cannot be scored.
    """
    tasks = build_tasks(config, assets.data.datasets)
    model, precision = _best_model(job, config, assets, objective)
    collator = build_collator(config, assets.data.tokenizer)

    def scored(datasets: Mapping[str, EncodedDataset]) -> _Scores | None:
        if not any("test" in dataset.splits for dataset in datasets.values()):
            return None
        # All workers take part, each with its share of the rows; all get the same result.
        result = evaluate(
            model, tasks, datasets, split="test", place=place, precision=precision,
            collator=collator,
        )  # fmt: skip
        return _with_combined(result, config, objective)

    scores, rest = scored(assets.data.datasets), unseen_rows(assets.data.datasets, "test")
    unseen = scored(rest)
    if job.export is not None and place.rank == 0:  # last: it fills the one encoder anew
        export_best(
            job.spec.checkpoint, job.export, config=config, assets=assets, dev=job.dev,
            test=scores, about=job.about,
        )  # fmt: skip
    compared = rest if unseen is not None and "combined" in unseen else assets.data.datasets
    rows = _test_rows(config, compared, counted_tasks(objective, tasks))
    return Scored(scores, worth_in_rows(objective.kind, rows), unseen)


def _best_model(
    job: ScoreJob, config: RunConfig, assets: Assets, objective: ObjectiveSection
) -> tuple[MultiTaskModel, Precision]:
    """Returns the model at the best report, trained again where its weights are lost."""
    checkpoint, number = job.spec.checkpoint, job.number
    if number is not None:
        number = recover_best(
            config, objective=objective, checkpoint=checkpoint, assets=assets, number=number
        )
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    return model, load_best(checkpoint, model, number=number)


def score_best(
    checkpoint: Path,
    config: RunConfig,
    assets: Assets,
    objective: ObjectiveSection,
    *,
    place: Place,
    split: str,
) -> _Scores | None:
    """Returns the scores of the best report of a run on a split; None = the data lacks it.

    Args:
        checkpoint: The run's checkpoint folder.
        config: Its recipe.
        assets: Of that recipe.
        objective: The study's.
        place: This worker's.
        split: "dev" or "test".

    Raises:
        MtlError: The checkpoint cannot be read, or a task cannot be scored.
    """
    datasets = assets.data.datasets
    if not any(split in dataset.splits for dataset in datasets.values()):
        return None
    tasks = build_tasks(config, datasets)
    model = assets.new_model(config, tasks)
    precision = load_best(checkpoint, model)
    collator = build_collator(config, assets.data.tokenizer)
    result = evaluate(
        model, tasks, datasets, split=split, place=place, precision=precision, collator=collator
    )
    return _with_combined(result, config, objective)


def _with_combined(result: Evaluation, config: RunConfig, objective: ObjectiveSection) -> _Scores:
    """Returns scores as `result.json` has them, with the combined one where no task lacks it."""
    scores: _Scores = {"joint_accuracy": result.joint_accuracy, **result.scores}
    counted = [name for name, task in config.tasks.items() if not task.auxiliary]
    if not result.main.keys() >= set(counted):
        return scores
    main = [result.main[name] for name in counted]
    return {"combined": objective.combine(main, result.joint_accuracy), **scores}


def worth_in_rows(objective: str, tasks: Sequence[Mapping[str, int]]) -> int:
    """Returns of how many rows a combined score is a share, as far as chance goes.

    A mean over data sets of 1,000 and 100 rows is not as sure as a share of 1,100: half of it hangs
    on the 100. Tasks on the same data set are taken to err on the same rows, and data sets to have
    nothing to do with each other.

    Args:
        objective: How the tasks' scores become one: the `kind` of an objective.
        tasks: For each task that counts: data set -> rows with its labels.

    Returns:
        The rows; 0 when a task has none, so that there is no score.
    """
    totals = [sum(rows.values()) for rows in tasks]
    if not totals or min(totals) == 0:
        return 0
    datasets = {name for rows in tasks for name in rows}
    if objective == "joint_accuracy":  # Each row is right or wrong as a whole.
        return sum(max(rows.get(name, 0) for rows in tasks) for name in datasets)
    if objective == "minimum":
        return min(totals)
    # n_td = rows of task t in data set d, N_t = sum_d n_td, T = number of tasks. The deviation of a
    # share of n rows is that of a single row by sqrt(n). Within a data set the tasks err together,
    # so deviations add up: s_d = 1/T sum_t n_td / N_t / sqrt(n_td). Between data sets the variances
    # do: 1/n = sum_d s_d^2.
    deviations = {
        name: sum(
            rows[name] / total / math.sqrt(rows[name])
            for rows, total in zip(tasks, totals, strict=True)
            if name in rows
        )
        / len(tasks)
        for name in datasets
    }
    return round(1 / sum(deviation**2 for deviation in deviations.values()))


def _test_rows(
    config: RunConfig, datasets: Mapping[str, EncodedDataset], tasks: Sequence[str]
) -> list[dict[str, int]]:
    """Returns for each of the tasks: data set -> rows of test, or questions, with labels."""
    found: list[dict[str, int]] = []
    for name in tasks:
        splits = {key: datasets[key].splits.get("test") for key in config.tasks[name].datasets}
        counts = {key: split.num_scored(name) for key, split in splits.items() if split is not None}
        found.append({key: count for key, count in counts.items() if count})
    return found
