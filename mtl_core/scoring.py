"""Scores of a saved model: on the data that it was trained for, or on other files."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from mtl_core.assets import build_collator, load_datasets
from mtl_core.config import RunConfig
from mtl_core.data.collate import Collator
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.cutting import cut_texts
from mtl_core.data.example import Example
from mtl_core.data.formats.base import SplitName
from mtl_core.data.label_notes import split_notes
from mtl_core.data.merge import merge_labels
from mtl_core.data.notes import leaks
from mtl_core.data.splits import read_file
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import DataError, did_you_mean
from mtl_core.predictor import Predictor
from mtl_core.task_errors import Errors
from mtl_core.tasks.base import Task
from mtl_core.tasks.building import build_task
from mtl_core.training.distributed import Place
from mtl_core.training.error_analysis import find_errors
from mtl_core.training.evaluation import Evaluation, evaluate

logger = logging.getLogger(__name__)

Files = Mapping[str, Path]
"""Data set name -> file to score on; "" = the only data set."""


def evaluate_model(
    folder: str | Path, *, split: str = "test", trust_code: bool = False
) -> Evaluation:
    """Scores a saved model on a split of its own data; see `Predictor.load` and `score`."""
    return score(Predictor.load(folder, trust_code=trust_code), split=split)


def score(
    predictor: Predictor,
    *,
    split: str = "test",
    files: Files | None = None,
    batch_size: int | None = None,
) -> Evaluation:
    """Scores a model; see `Scoring.of`."""
    return Scoring.of(predictor, split=split, files=files, batch_size=batch_size).scores()


@dataclass(frozen=True, slots=True)
class Scoring:
    """A model beside rows with labels, which it is scored on.

    Computes as the predictor does, in fp32, so that the scores are those of its predictions.

    Attributes:
        predictor: The model.
        tasks: Task name -> task, with the labels that the rows have.
        datasets: Data set name -> encoded data.
        split: The split of them that is looked at.
        collator: Makes batches.
    """

    predictor: Predictor
    tasks: Mapping[str, Task]
    datasets: Mapping[str, EncodedDataset]
    split: str
    collator: Collator

    @classmethod
    def of(
        cls,
        predictor: Predictor,
        *,
        split: str = "test",
        files: Files | None = None,
        batch_size: int | None = None,
    ) -> "Scoring":
        """Reads the rows.

        Args:
            predictor: The model.
            split: "dev" or "test" of the data that its run.yaml names.
            files: Other files to score on; only their data sets are scored. They are read as the
                split, by the settings of their data sets; `limit` does not hold for them.
            batch_size: Texts per batch; None = as many as the predictor takes.

        Raises:
            DataError: The data cannot be read, has no such split, or has other labels in its train
                split than those the model was trained on.
        """
        config = predictor.config
        datasets = _read_files(predictor, files, split) if files else _own_data(predictor, split)
        tasks: dict[str, Task] = {
            name: build_task(name, config.tasks[name], labels)
            for dataset in datasets.values()
            for name, labels in dataset.labels.items()
        }
        # In the order of the study file.
        tasks = {name: tasks[name] for name in config.tasks if name in tasks}
        collator = build_collator(config, predictor.tokenizer, batch_size=batch_size)
        return cls(predictor, tasks, datasets, split, collator)

    def scores(self) -> Evaluation:
        """Returns the scores."""
        return evaluate(
            self.predictor.model, self.tasks, self.datasets, split=self.split, place=self._place,
            precision="fp32", collator=self.collator,
        )  # fmt: skip

    def errors(self) -> Errors:
        """Returns where the model errs, task by task."""
        splits = {
            name: one.splits[self.split]
            for name, one in self.datasets.items()
            if self.split in one.splits
        }
        return find_errors(
            self.predictor.model, self.tasks, splits, self.predictor.tokenizer, place=self._place,
            precision="fp32", collator=self.collator,
        )  # fmt: skip

    @property
    def _place(self) -> Place:
        return Place(0, 1, self.predictor.device)


def _own_data(predictor: Predictor, split: str) -> Mapping[str, EncodedDataset]:
    config = predictor.config
    try:
        datasets = load_datasets(config, predictor.tokenizer, max_length=predictor.max_length)
    except DataError as error:
        # Of a model from elsewhere, for instance, which has come without its data.
        *lines, last = error.lines
        raise DataError(*lines, f"{last}; to score the model on a file of yours: --file") from error
    for name, section in config.tasks.items():
        labels = datasets[section.datasets[0]].labels[name]
        # The head's outputs are numbered by the labels it was trained on: scored by others, those
        # of an edited file for instance, they would mean nothing.
        if labels.trained != predictor.tasks[name].labels.trained:
            raise DataError(
                f"data set '{section.datasets[0]}': the train labels of task '{name}' are not "
                "those the model was trained with"
            )
    known = {name: None for dataset in datasets.values() for name in dataset.splits}
    if split not in known:
        raise DataError(f"--split: the data has no split '{split}'; there are {', '.join(known)}")
    # Else scores on rows that the model has seen would be taken for scores on new ones.
    for note in leaks((note for dataset in datasets.values() for note in dataset.notes), split):
        logger.warning("%s: %s", note.level, note.line)
    return datasets


def _read_files(predictor: Predictor, files: Files, split: str) -> Mapping[str, EncodedDataset]:
    """Returns the data sets of files, each with one split."""
    found: list[SplitName] = [name for name in get_args(SplitName) if name == split]
    if not found:
        raise DataError(
            f"--split: expected one of {', '.join(get_args(SplitName))}, found '{split}'"
        )
    named = {_dataset_of(name, path, predictor.config): path for name, path in files.items()}
    # One numbering for all files: what is unseen differs between them.
    datasets = merge_labels(
        {name: _read_file(predictor, name, path, found[0]) for name, path in named.items()}
    )
    for name, dataset in datasets.items():
        for note in split_notes(dataset, split):
            logger.warning("%s: %s", named[name], note.text)
    return datasets


def _dataset_of(name: str, path: Path, config: RunConfig) -> str:
    known = list(config.datasets)
    if not name and len(known) == 1:
        return known[0]
    if name not in known:
        found = f"there is no data set '{name}'" if name else "the model has several data sets"
        raise DataError(
            f"{path}: {found}; say which one the file is of, as in '{known[0]}={path}'; data "
            f"sets: {', '.join(known)}.{did_you_mean(name, known)}"
        )
    return name


def _read_file(predictor: Predictor, name: str, path: Path, split: SplitName) -> EncodedDataset:
    config = predictor.config
    columns = config.columns(name)
    kinds = {name: kind for column in columns for name, kind in column.reads.items()}
    examples = read_file(config.datasets[name], kinds, path, split=split)
    if not examples:
        raise DataError(f"{path}: expected rows, found none")
    # As the model was trained, whatever would fit the spans of this file better.
    examples = cut_texts({split: examples}, predictor.cuts[name])[split]
    _check_examples(predictor, columns, examples, path)
    labels: dict[str, Labels] = {
        column.task_name: predictor.tasks[column.task_name].labels.with_found(
            # As train and dev: a column asks for labels in both.
            column.collect({"train": examples, "dev": examples}, where=str(path))
        )
        for column in columns
    }
    try:
        encoded = config.layout(name).encode(
            examples, predictor.tokenizer, columns, labels, max_length=predictor.max_length
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return EncodedDataset(name, {split: encoded}, labels, content="")


def _check_examples(
    predictor: Predictor, columns: list[AnyColumn], examples: list[Example], path: Path
) -> None:
    """Refuses a file without labels of a task, or with features of another size."""
    for column in columns:
        task = column.task_name
        if column.is_read and all(column.value(example) is None for example in examples):
            raise DataError(f"{path}: no row has a label of task '{task}' ({column.column})")
        wanted, size = predictor.model.num_features[task], len(examples[0].features)
        if column.takes_features and wanted != size:
            raise DataError(f"{path}: expected {wanted} features, as in training, found {size}")
