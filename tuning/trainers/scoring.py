"""Scores on test: the best report of a run, its model, and how sure its score is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.data.unseen import unseen_rows
from mtl_core.export import export_best
from mtl_core.model.autocast import Precision
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Task
from mtl_core.training.best import load_best
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.loop import recover_best
from mtl_core.training.objectives.base import counted_tasks
from mtl_core.training.objectives.kinds import ObjectiveSection
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
        return _with_combined(result, tasks, objective)

    scores, rest = scored(assets.data.datasets), unseen_rows(assets.data.datasets, "test")
    unseen = scored(rest)
    if job.export is not None and place.rank == 0:  # last: it fills the one encoder anew
        export_best(
            job.spec.checkpoint, job.export, config=config, assets=assets, dev=job.dev,
            test=scores, about=job.about,
        )  # fmt: skip
    compared = rest if unseen is not None and "combined" in unseen else assets.data.datasets
    rows = _test_rows(config, compared, counted_tasks(objective, tasks))
    return Scored(scores, objective.worth_in_rows(rows), unseen)


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
    return _with_combined(result, tasks, objective)


def _with_combined(
    result: Evaluation, tasks: Mapping[str, Task], objective: ObjectiveSection
) -> _Scores:
    """Returns scores as `result.json` has them, with the combined one where no task lacks it."""
    scores: _Scores = {"joint_accuracy": result.joint_accuracy, **result.scores}
    if not result.main.keys() >= set(counted_tasks(objective, tasks)):
        return scores
    main = {name: score for name, score in result.main.items() if not tasks[name].is_auxiliary}
    return {"combined": objective.combine(main, result.joint_accuracy), **scores}


def _test_rows(
    config: RunConfig, datasets: Mapping[str, EncodedDataset], tasks: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Returns for each of the tasks: data set -> rows of test, or questions, with labels."""
    found: dict[str, dict[str, int]] = {}
    for name in tasks:
        splits = {key: datasets[key].splits.get("test") for key in config.tasks[name].datasets}
        counts = {key: split.num_scored(name) for key, split in splits.items() if split is not None}
        found[name] = {key: count for key, count in counts.items() if count}
    return found
