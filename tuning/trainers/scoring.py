"""Scores on test: the best report of a run, its model, and how sure its score is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.data.unseen import unseen_rows
from mtl_core.export import Said, dev_splits, export_model
from mtl_core.scores import flatten
from mtl_core.task_errors import NO_ERRORS, Errors
from mtl_core.training.best import load_best
from mtl_core.training.decoded import Decoded, as_tree
from mtl_core.training.decoding_search import Proposer, decode_with, search_decoding
from mtl_core.training.dev_half import TrainedModel
from mtl_core.training.distributed import Place
from mtl_core.training.drawn import drawn_scores
from mtl_core.training.error_analysis import find_errors
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.loop import recover_best
from mtl_core.training.objectives.base import counted_tasks
from mtl_core.training.objectives.kinds import ObjectiveSection
from tuning.statistics.draws import write_draws
from tuning.statistics.estimates import Where
from tuning.trainers.messages import Scored, ScoreJob

_Scores = dict[str, float | Mapping[str, float]]


def score_on_test(
    job: ScoreJob,
    config: RunConfig,
    assets: Assets,
    objective: ObjectiveSection,
    place: Place,
    proposer: Proposer | None = None,
) -> Scored:
    """Scores the best report of a run on test; the first worker writes its model when asked to.

    Args:
        job: Where its checkpoint lies, and what is wanted.
        config: Its recipe.
        assets: Of that recipe.
        objective: The study's.
        place: This worker's; all workers of a trainer call this together.
        proposer: Settings of decoding, where the job asks for a search; None = there are none.

    Raises:
        MtlError: The checkpoint cannot be had again, or a task cannot be scored.
    """
    trained = best_of_run(
        job.spec.checkpoint, config, assets, objective, place=place, number=job.number
    )
    decoded = _searched(job, trained, proposer)
    taken = decoded.taken if decoded is not None else None
    settings = taken.settings if taken is not None else job.decoding if decoded is None else {}
    # Test is looked at with either, so that the report can say what the search has gained.
    own = _scored(trained, "test") if settings else None
    trained = _as_found(trained, settings)
    # Of dev alone; all workers take part, and the first has what is found.
    errors = NO_ERRORS if job.export is None else _errors(trained, assets)
    rest = unseen_rows(assets.data.datasets, "test")
    scores, unseen = _on_test(trained, rest, job.spec.checkpoint.parent)
    if job.export is not None and place.rank == 0:  # Last: it merges adapters into the encoder.
        said = Said(job.dev if taken is None else as_tree(taken), scores, job.about, errors)
        _export(job.export, trained, assets, replace(said, others=job.others))
    compared = rest if unseen is not None and "combined" in unseen else assets.data.datasets
    rows = _test_rows(config, compared, counted_tasks(objective, trained.tasks))
    return Scored(scores, objective.worth_in_rows(rows), unseen, own, decoded)


def _errors(trained: TrainedModel, assets: Assets) -> Errors:
    """Returns where the model errs on dev."""
    return find_errors(
        trained.model, trained.tasks, dev_splits(trained.datasets), assets.data.tokenizer,
        place=trained.place, precision=trained.precision, collator=trained.collator,
    )  # fmt: skip


def _export(folder: Path, trained: TrainedModel, assets: Assets, said: Said) -> None:
    export_model(
        folder, trained.model, said, config=trained.config, assets=assets,
        precision=trained.precision,
    )  # fmt: skip


def best_of_run(
    checkpoint: Path,
    config: RunConfig,
    assets: Assets,
    objective: ObjectiveSection,
    *,
    place: Place,
    number: int | None,
) -> TrainedModel:
    """Returns the model at the best report of a run, trained again where its weights are lost.

    Args:
        checkpoint: The run's checkpoint folder.
        config: Its recipe.
        assets: Of that recipe; models made of them before become unusable.
        objective: The study's.
        place: This worker's; all workers of a trainer call this together.
        number: Number of the report; None = whichever the checkpoint holds.

    Raises:
        MtlError: The checkpoint cannot be had again.
    """
    if number is not None:
        number = recover_best(
            config, objective=objective, checkpoint=checkpoint, assets=assets, number=number
        )
    datasets = assets.data.datasets
    model = assets.new_model(config, build_tasks(config, datasets))
    precision = load_best(checkpoint, model, number=number)
    collator = build_collator(config, assets.data.tokenizer)
    return TrainedModel(config, model.eval(), datasets, objective, place, precision, collator)


def _searched(job: ScoreJob, trained: TrainedModel, proposer: Proposer | None) -> Decoded | None:
    """Returns what is found on the model without training; None = the job asks for no search."""
    if proposer is None or job.search_s is None:
        return None
    return search_decoding(
        trained,
        proposer,
        number=job.number or 0,
        combined=flatten(job.dev).get("combined", -math.inf),
        known=job.spec.known,
        limit_s=job.search_s,
        least=1,
    )


def score_best(
    checkpoint: Path,
    config: RunConfig,
    assets: Assets,
    objective: ObjectiveSection,
    *,
    place: Place,
    split: str,
    decoding: Mapping[str, object] | None = None,
) -> _Scores | None:
    """Returns the scores of the best report of a run on a split; None = the data lacks it.

    Args:
        checkpoint: The run's checkpoint folder.
        config: Its recipe.
        assets: Of that recipe.
        objective: The study's.
        place: This worker's.
        split: "dev" or "test".
        decoding: Settings of decoding that were found for its model; None = those of the recipe.

    Raises:
        MtlError: The checkpoint cannot be read, or a task cannot be scored.
    """
    trained = best_of_run(checkpoint, config, assets, objective, place=place, number=None)
    return _scored(_as_found(trained, decoding or {}), split)


def _as_found(trained: TrainedModel, settings: Mapping[str, object]) -> TrainedModel:
    """Returns the model with settings of decoding that were found, and what they learn from dev."""
    if settings:
        trained = trained.with_settings(settings)
        decode_with(trained)
    return trained


def _on_test(
    trained: TrainedModel, rest: Mapping[str, EncodedDataset], folder: Path
) -> tuple[_Scores | None, _Scores | None]:
    """Returns the scores on test, and on the rest of it that does not stand in train.

    In the folder of the run stands then what it scores on draws of the rows of either.
    """
    found: dict[Where, Evaluation | None] = {
        "test": _evaluated(trained, "test"),
        "unseen": _evaluated(replace(trained, datasets=rest), "test"),
    }
    known = {where: one for where, one in found.items() if one is not None}
    if known and trained.place.rank == 0:  # All workers have the same outcomes.
        tasks, objective = trained.tasks, trained.objective
        write_draws(folder, {at: drawn_scores(one, tasks, objective) for at, one in known.items()})
    return _with_combined(found["test"], trained), _with_combined(found["unseen"], trained)


def _scored(trained: TrainedModel, split: str) -> _Scores | None:
    """Returns the scores on a split; None = the data lacks it."""
    return _with_combined(_evaluated(trained, split), trained)


def _evaluated(trained: TrainedModel, split: str) -> Evaluation | None:
    if not any(split in dataset.splits for dataset in trained.datasets.values()):
        return None
    # All workers take part, each with its share of the rows; all get the same result.
    return evaluate(
        trained.model, trained.tasks, trained.datasets, split=split, place=trained.place,
        precision=trained.precision, collator=trained.collator,
    )  # fmt: skip


def _with_combined(result: Evaluation | None, trained: TrainedModel) -> _Scores | None:
    """Returns scores as `result.json` has them, with the combined one where no task lacks it."""
    if result is None:
        return None
    tasks, objective = trained.tasks, trained.objective
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
