"""Export: makes a saved model, with its card, from the checkpoint of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtl_core.assets import Assets, build_collator, build_tasks, count_parts
from mtl_core.card_data import About, CardFacts, Rows, RunSaid
from mtl_core.config import RunConfig
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.notes import leaks
from mtl_core.data.store import EncodedDataset
from mtl_core.model.autocast import Precision
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model_card import render_card
from mtl_core.saved_model import ForPeople, SavedModel, write_model
from mtl_core.scores import ScoreTree
from mtl_core.task_errors import NO_ERRORS, Errors, TaskErrors
from mtl_core.training.best import load_best
from mtl_core.training.distributed import Place
from mtl_core.training.error_analysis import find_errors
from mtl_core.training.sampling import written_samples


def export_best(
    checkpoint: Path,
    folder: Path,
    *,
    config: RunConfig,
    assets: Assets,
    dev: ScoreTree,
    test: ScoreTree | None,
    about: About | None = None,
) -> None:
    """Saves the best epoch of a run.

    Args:
        checkpoint: The run's checkpoint folder.
        folder: Where the model goes; a model that stands there is replaced as a whole.
        config: The run.
        assets: Its data and encoder.
        dev: Dev scores of that epoch, for the card.
        test: Test scores, for the card; None when there are none.
        about: What its owner says of the model, for the card, if anything.

    Raises:
        ConfigError: The checkpoint was written by another version.
    """
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    # A checkpoint holds only what trained: the rest is the pretrained encoder that the model has.
    precision = load_best(checkpoint, model)
    said = Said(dev, test, about, _errors(model, config, assets, precision))
    export_model(folder, model, said, config=config, assets=assets, precision=precision)


def _errors(
    model: MultiTaskModel, config: RunConfig, assets: Assets, precision: Precision
) -> dict[str, TaskErrors]:
    """Returns where a model errs on dev; this process looks alone."""
    data = assets.data
    return find_errors(
        model, build_tasks(config, data.datasets), dev_splits(data.datasets), data.tokenizer,
        place=Place(0, 1, next(model.parameters()).device), precision=precision,
        collator=build_collator(config, data.tokenizer),
    )  # fmt: skip


def dev_splits(datasets: Mapping[str, EncodedDataset]) -> dict[str, EncodedSplit]:
    """Returns data set name -> its rows of dev."""
    return {name: one.splits["dev"] for name, one in datasets.items() if "dev" in one.splits}


@dataclass(frozen=True, slots=True)
class Said:
    """What is told of a model beside its run.

    Attributes:
        dev: Dev scores.
        test: Test scores; None when there are none.
        about: What its owner says of it, if anything.
        errors: Where it errs on dev.
        others: Scores of the other runs of its recipe.
    """

    dev: ScoreTree
    test: ScoreTree | None = None
    about: About | None = None
    errors: Errors = field(default_factory=lambda: NO_ERRORS)
    others: Sequence[RunSaid] = ()


def export_model(
    folder: Path,
    model: MultiTaskModel,
    said: Said,
    *,
    config: RunConfig,
    assets: Assets,
    precision: Precision,
) -> None:
    """Saves a model with its card; its adapters become part of its weights, or stay alone.

    Args:
        folder: Where it goes; a model that stands there is replaced as a whole.
        model: The last model that was made of the assets.
        said: What its card tells, and where it errs.
        config: Its run.
        assets: Its data and encoder.
        precision: What the run computed in.
    """
    tasks = build_tasks(config, assets.data.datasets)
    samples = written_samples(model, tasks, assets.data.datasets, precision=precision)
    labels = {name: task.labels.trained for name, task in tasks.items()}
    rows = count_rows(config, assets.data.datasets)
    notes = assets.data.notes
    found = [*leaks(notes, "test"), *leaks(notes, "dev")]
    facts = CardFacts(
        config, labels, rows, precision, dev=said.dev, test=said.test, about=said.about,
        leaks=found,
    )  # fmt: skip
    people = ForPeople(render_card(facts, samples, said.others), samples, said.errors)
    save_model(folder, model, config=config, assets=assets, precision=precision, people=people)


def save_model(
    folder: Path,
    model: MultiTaskModel,
    *,
    config: RunConfig,
    assets: Assets,
    precision: Precision,
    people: ForPeople,
) -> None:
    """Saves a model: weights, tokenizer, configuration, labels and card; see `export_best`."""
    alone = assets.adapters_alone() if config.freezing.saves_adapters else None
    if alone is None:
        # The updates of adapters become part of the weights.
        assets.merge_adapters()
    tasks = build_tasks(config, assets.data.datasets)
    parts = count_parts(config, assets.data.datasets)
    data = assets.data
    cuts = {name: dataset.cut for name, dataset in data.datasets.items()}
    saved = SavedModel(config, model, tasks, data.tokenizer, data.max_length, parts, cuts, alone)
    write_model(folder, saved, precision=precision, people=people)


def count_rows(config: RunConfig, datasets: Mapping[str, EncodedDataset]) -> Rows:
    """Returns task -> data set -> split -> rows, or questions, that have its labels."""
    return {
        name: {
            key: {split: rows.num_scored(name) for split, rows in datasets[key].splits.items()}
            for key in section.datasets
        }
        for name, section in config.tasks.items()
    }
