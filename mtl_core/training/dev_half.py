"""A half of dev: what a trained model says of it is kept, and read with one setting or another."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mtl_core.assets import build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.arrays import BoolArray, Int64Array
from mtl_core.data.batching import Batch, rows_by_length
from mtl_core.data.collate import Collator
from mtl_core.data.store import EncodedDataset
from mtl_core.model.autocast import Precision, autocast
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.study_file import override
from mtl_core.tasks.base import Head, Task
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import gathered, joint_accuracy, score_task
from mtl_core.training.objectives.base import Objective
from mtl_core.training.report_texts import with_texts_of_a_half

_KEPT_BYTES = 2**29
"""Logits of a half that a worker keeps; others are computed again for all that is tried."""

Outcomes = Mapping[str, Mapping[str, Outcome]]
"""Task name -> data set name -> what a head decoded, or how it was scored."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model at the best report of its run, and all that scores it.

    Attributes:
        config: The run.
        model: The model.
        datasets: Data set name -> encoded data.
        objective: What `combined` is.
        place: This worker.
        precision: What the forward pass computes in.
        collator: Makes batches.
    """

    config: RunConfig
    model: MultiTaskModel
    datasets: Mapping[str, EncodedDataset]
    objective: Objective
    place: Place
    precision: Precision
    collator: Collator

    def with_settings(self, settings: Mapping[str, object]) -> "TrainedModel":
        """Returns the same model with other settings of decoding; it shares all weights.

        Raises:
            ConfigError: They do not go together with the others.
        """
        run = override(self.config.plain_for(settings), settings)
        return replace(self, config=RunConfig.model_validate(run))

    def combined(self, main: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective, of the main scores of all tasks and the joint accuracy."""
        counted = {
            name: score for name, score in main.items() if not self.config.tasks[name].auxiliary
        }
        return self.objective.combine(counted, joint_accuracy)

    @property
    def tasks(self) -> dict[str, Task]:
        """Task name -> task, built anew at each call."""
        return build_tasks(self.config, self.datasets)


def halves(trained: TrainedModel) -> Iterator[dict[str, EncodedDataset]]:
    """Yields the data sets with one half of their dev splits, then with the other.

    Drawn by example and by the seed of the run: of texts that are cut into rows all rows come into
    the same half.
    """
    drawn = {
        name: _drawn_half(dataset.splits["dev"].num_examples, trained.config.seed)
        for name, dataset in trained.datasets.items()
        if "dev" in dataset.splits
    }
    for is_first in (True, False):
        taken = {name: np.flatnonzero(one == is_first) for name, one in drawn.items()}
        yield {
            name: replace(dataset, splits={"dev": dataset.splits["dev"].take(taken[name])})
            for name, dataset in trained.datasets.items()
            if name in taken
        }


def _drawn_half(count: int, seed: int) -> BoolArray:
    is_drawn = np.zeros(count, dtype=bool)
    is_drawn[np.random.default_rng(seed).permutation(count)[: (count + 1) // 2]] = True
    return is_drawn


@dataclass(frozen=True, slots=True)
class ScoredHalf:
    """A half as it was scored with some settings.

    Attributes:
        combined: The objective.
        heads: Task name -> its head, with what it has learnt from the half that chooses.
        scores: Task name -> scores.
        finished: The outcomes as they were scored.
    """

    combined: float
    heads: Mapping[str, Head]
    scores: Mapping[str, Mapping[str, float]]
    finished: Outcomes


@dataclass(frozen=True, slots=True)
class _Share:
    """A batch of this worker's share of a half.

    Attributes:
        dataset: Key of its data set.
        rows: Row numbers, (batch,).
        batch: The rows, on the CPU.
        logits: Task name -> logits, on the CPU; those of other tasks are computed again.
    """

    dataset: str
    rows: Int64Array
    batch: Batch
    logits: Mapping[str, Tensor]


class DevHalf:
    """A half of dev under a model: one pass over the encoder, however many settings are tried.

    All workers call the same methods together.

    Attributes:
        own: The half with the run's own settings.
        first_s: Seconds that the run's own settings took.
        writing_s: What texts took of these; those of other settings take as long again.
    """

    def __init__(
        self,
        trained: TrainedModel,
        datasets: Mapping[str, EncodedDataset],
        heads: Mapping[str, Head] | None = None,
    ) -> None:
        """Runs the model over the half.

        Args:
            trained: The model, with the run's own settings.
            datasets: The data sets, with the half in the place of dev.
            heads: Task name -> head with what was learnt from the other half; None = new ones,
                which learn from this half.
        """
        begin, self._shares = time.perf_counter(), list[_Share]()
        self._trained, self._datasets = trained, datasets
        own = dict(heads) if heads else _heads(trained, trained.tasks)
        with torch.inference_mode(), autocast(trained.place.device, trained.precision):
            self._read = self._first_pass(own)
        read = time.perf_counter()
        decoded = self._with_texts(trained, self._read)
        self.writing_s = time.perf_counter() - read
        self.own = self._scored(trained, own, decoded, None, calibrates=heads is None)
        self.first_s = time.perf_counter() - begin

    @property
    def rows(self) -> int:
        """How many examples it has."""
        return sum(dataset.splits["dev"].num_examples for dataset in self._datasets.values())

    def scored(self, trained: TrainedModel, heads: Mapping[str, Head] | None = None) -> ScoredHalf:
        """Returns the half with other settings of decoding.

        Args:
            trained: The same model with them.
            heads: Heads for them that have learnt from the other half; None = new ones.
        """
        before, now = self._trained.config.tasks, trained.config.tasks
        changed = {name: task for name, task in trained.tasks.items() if before[name] != now[name]}
        found = heads or {**self.own.heads, **_heads(trained, changed)}
        read = {name: found[name] for name, task in changed.items() if task.writing is None}
        with torch.inference_mode(), autocast(trained.place.device, trained.precision):
            decoded = self._decoded(read)
        kept = {name: self._read[name] for name in changed if name not in read}
        decoded = self._with_texts(trained, {**decoded, **kept})
        return self._scored(trained, found, decoded, self.own, calibrates=heads is None)

    def _first_pass(self, heads: Mapping[str, Head]) -> Outcomes:
        """Decodes all tasks, and keeps what settings of decoding are tried on."""
        trained, left = self._trained, _KEPT_BYTES
        # Texts hang on settings, and what a task that writes reads off its logits does not.
        keeps = {name for name, task in trained.tasks.items() if task.writing is None}
        local: dict[str, dict[str, dict[int, Decoded]]] = {}
        for dataset, names, rows in self._batches():
            split = self._datasets[dataset].splits["dev"]
            # The seed of every evaluation, so that masking hides what it always hides.
            batch = trained.collator(split, rows, seed=())
            on_device = batch.to(trained.place.device)
            kept: dict[str, Tensor] = {}
            for name, logits in trained.model(on_device, names).items():
                predicted = heads[name].decode(logits, on_device)
                _add(local, dataset, name, rows, predicted)
                size = logits.nbytes
                if trained.config.tasks[name].at_decoding and name in keeps and size <= left:
                    left -= size
                    kept[name] = logits.cpu()
            self._shares.append(_Share(dataset, rows, batch, kept))
        return self._gathered(local, list(heads))

    def _with_texts(self, trained: TrainedModel, outcomes: Outcomes) -> Outcomes:
        splits = {name: dataset.splits["dev"] for name, dataset in self._datasets.items()}
        place, precision = trained.place, trained.precision
        return with_texts_of_a_half(
            outcomes, trained.model, splits, trained.tasks, place=place, precision=precision
        )

    def _batches(self) -> Iterator[tuple[str, list[str], Int64Array]]:
        place, size = self._trained.place, self._trained.collator.batch_size
        for name, dataset in self._datasets.items():
            split = dataset.splits["dev"]
            names = [task for task in split.labels if task in self._trained.config.tasks]
            for rows in rows_by_length(split, batch_size=size)[place.rank :: place.world_size]:
                yield name, names, rows

    def _decoded(self, heads: Mapping[str, Head]) -> Outcomes:
        trained, local = self._trained, dict[str, dict[str, dict[int, Decoded]]]()
        for share in self._shares:
            on_data = self._datasets[share.dataset].splits["dev"].labels
            names = [name for name in heads if name in on_data]
            if not names:
                continue
            batch = share.batch.to(trained.place.device)
            lost = [name for name in names if name not in share.logits]
            again = trained.model(batch, lost) if lost else {}
            for name in names:
                logits = again[name] if name in again else share.logits[name]
                predicted = heads[name].decode(logits.to(trained.place.device), batch)
                _add(local, share.dataset, name, share.rows, predicted)
        return self._gathered(local, list(heads))

    def _gathered(
        self, local: Mapping[str, Mapping[str, Mapping[int, Decoded]]], tasks: Collection[str]
    ) -> Outcomes:
        found: dict[str, dict[str, Outcome]] = {name: {} for name in tasks}
        for key, dataset in self._datasets.items():
            split = dataset.splits["dev"]
            own = {name: local.get(key, {}).get(name, {}) for name in tasks if name in split.labels}
            for name, outcome in gathered(own, split, self._trained.place).items():
                found[name][key] = outcome
        return found

    def _scored(
        self,
        trained: TrainedModel,
        heads: Mapping[str, Head],
        decoded: Outcomes,
        before: ScoredHalf | None,
        *,
        calibrates: bool,
    ) -> ScoredHalf:
        """Scores what was decoded now; other tasks are as they were before."""
        tasks = trained.tasks
        scores = dict(before.scores) if before is not None else {}
        finished = dict(before.finished) if before is not None else {}
        for name, outcomes in decoded.items():
            if outcomes:
                scores[name], finished[name] = score_task(
                    tasks[name], heads[name], outcomes, calibrates=calibrates
                )
        main = {name: found[tasks[name].main_score] for name, found in scores.items()}
        by_dataset = [
            {name: found[key] for name, found in finished.items() if key in found}
            for key in self._datasets
        ]
        joint = joint_accuracy(tasks, by_dataset)
        return ScoredHalf(trained.combined(main, joint), heads, scores, finished)


def _heads(trained: TrainedModel, tasks: Mapping[str, Task]) -> dict[str, Head]:
    """Returns heads of their own for some tasks: what they learn does not reach the model's."""
    return {name: trained.model.head_for(name, task) for name, task in tasks.items()}


def _add(
    local: dict[str, dict[str, dict[int, Decoded]]],
    dataset: str,
    task: str,
    rows: Int64Array,
    predicted: list[Decoded],
) -> None:
    by_row = local.setdefault(dataset, {}).setdefault(task, {})
    by_row.update(zip(rows.tolist(), predicted, strict=True))
