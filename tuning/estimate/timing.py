"""Times recipes on this machine: a few real steps of each, on a sample of the data."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mtl_core.assets import Assets, Data, assets_key, load_data
from mtl_core.config import RunConfig
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.store import EncodedDataset
from mtl_core.training.distributed import Place
from mtl_core.training.loader import build_loader
from mtl_core.training.loop import train
from mtl_core.training.objectives.kinds import ObjectiveSection
from mtl_core.training.progress import Phase, Progress

STEPS = 8
"""Steps of an epoch that are timed."""
_WARM_UP = 2
"""First steps that do not count: memory is taken, kernels are chosen."""
_DEV_ROWS = 128
"""Rows of dev that are scored, of each data set."""


@dataclass(frozen=True, slots=True)
class RecipeTime:
    """What a recipe costs on this machine; seconds and bytes of the whole data.

    Attributes:
        epochs: Its epochs.
        setup: Seconds before its first step, frozen layers left out.
        epoch: Seconds of an epoch, with its scores on dev and its checkpoints.
        frozen: What its frozen layers are; recipes with the same share what these compute.
        states: Seconds to compute that, once per machine; 0 where nothing is kept.
        states_bytes: What it takes on disk.
        checkpoint_bytes: The checkpoint of a trial that runs.
        weights_bytes: What is kept of it when it has ended.
    """

    epochs: int
    setup: float
    epoch: float
    frozen: str
    states: float
    states_bytes: float
    checkpoint_bytes: int
    weights_bytes: int


class Stopwatch:
    """Times one recipe after the other; data and encoder stay loaded, as a trainer keeps them."""

    def __init__(self, objective: ObjectiveSection, device: torch.device) -> None:
        """Makes one.

        Args:
            objective: The objective of the study.
            device: Where its trainers compute.
        """
        self._objective = objective
        self._device = device
        self._whole: Data | None = None
        self._assets: Assets | None = None
        self._rows = 0

    def time(self, config: RunConfig) -> RecipeTime:
        """Trains a recipe for a few steps, in a folder that is removed.

        Raises:
            MtlError: It cannot be trained.
        """
        start = time.perf_counter()
        whole, assets = self._assets_for(config)
        with _scratch() as folder:
            watch = _Phases(start)
            # One epoch, or as many as it takes until nothing more thaws.
            epochs = range(1, config.training.epochs + 1)
            last = max([1, *(epoch for epoch in epochs if config.freezing.changes_at(epoch))])
            reports = train(
                _short(config),
                objective=self._objective,
                checkpoint=folder / "checkpoint",
                assets=assets,
                on_progress=watch.told,
            )
            for report in reports:
                watch.reported(report.seconds)
                if report.epoch == last:
                    break
            reports.close()
            return self._whole_time(config, whole, assets.data, watch, folder)

    def _whole_time(
        self, config: RunConfig, whole: Data, sample: Data, watch: "_Phases", folder: Path
    ) -> RecipeTime:
        """Returns what was measured on the sample, reckoned for the whole data."""
        steps = build_loader(config, whole, Place.current()).plan.steps_per_epoch
        training, reports = config.training, config.training.reports_per_epoch
        dev = _rows(whole, "dev")
        within = min(dev, (training.report_rows or dev) * len(whole.datasets))
        scored = dev + (reports - 1) * within
        seconds = (
            steps * watch.step_seconds
            + scored / _rows(sample, "dev") * watch.dev_seconds
            + reports * watch.checkpoint_seconds
        )
        states = sum(file.stat().st_size for file in folder.glob("cache/**/*.bin"))
        times = (_rows(whole, "train") + dev) / (_rows(sample, "train") + _rows(sample, "dev"))
        files = {file.name: file.stat().st_size for file in folder.glob("checkpoint/*")}
        return RecipeTime(
            epochs=training.epochs,
            setup=watch.setup_seconds + (0.0 if states else watch.states_seconds),
            epoch=seconds,
            frozen=f"{config.encoder.name} {config.freezing.model_dump_json()}",
            states=watch.states_seconds * times if states else 0.0,
            states_bytes=states * times,
            checkpoint_bytes=sum(files.values()),
            weights_bytes=min(files.values(), default=0),
        )

    def _assets_for(self, config: RunConfig) -> tuple[Data, Assets]:
        key, rows = assets_key(config), config.training.batch_size * STEPS
        if (
            self._whole is None
            or self._assets is None
            or self._assets.key != key
            or self._rows != rows
        ):
            self._whole, self._rows = load_data(config), rows
            kept = config.encoder.load()
            self._assets = Assets(key, _sample(self._whole, rows), kept.to(self._device))
        return self._whole, self._assets


class _Phases:
    """How long the phases of a few steps took."""

    def __init__(self, start: float) -> None:
        self._phase: Phase | None = None
        self._last = start
        self._steps: list[float] = []
        self._seconds = dict.fromkeys(("setup", "preparing", "training", "scoring"), 0.0)
        self._epochs = 0
        self._begun = start

    def told(self, progress: Progress) -> None:
        """Takes note of the end of a step or a phase."""
        now = time.perf_counter()
        self._seconds[self._phase or "setup"] += now - self._last
        if self._phase == progress.phase == "training":
            self._steps.append(now - self._last)
        if progress.phase == "preparing":
            self._begun = now
        self._phase, self._last = progress.phase, now

    def reported(self, seconds: float) -> None:
        """Takes note of a report, which comes behind its checkpoint.

        Args:
            seconds: From the beginning of the epoch to its end.
        """
        now = time.perf_counter()
        self._seconds["scoring"] += self._begun + seconds - self._last
        self._checkpoint = now - self._begun - seconds
        self._phase, self._last, self._epochs = None, now, self._epochs + 1

    @property
    def setup_seconds(self) -> float:
        """Before the first epoch."""
        return self._seconds["setup"]

    @property
    def states_seconds(self) -> float:
        """To get ready for epochs; most of it is what frozen layers compute."""
        return self._seconds["preparing"]

    @property
    def step_seconds(self) -> float:
        """Of a step, without the first ones."""
        counted = self._steps[_WARM_UP:] or self._steps
        return sum(counted) / len(counted)

    @property
    def dev_seconds(self) -> float:
        """Of a score on dev."""
        return self._seconds["scoring"] / self._epochs

    @property
    def checkpoint_seconds(self) -> float:
        """Of writing a checkpoint."""
        return max(self._checkpoint, 0.0)


def _short(config: RunConfig) -> RunConfig:
    """Returns a recipe that reports once an epoch: its sample has few steps."""
    training = config.training.model_copy(update={"reports_per_epoch": 1, "report_rows": None})
    return config.model_copy(update={"training": training})


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder in which what frozen layers compute is kept as well, for a sample is of no use."""
    before = os.environ.get("MTL_CACHE")
    with tempfile.TemporaryDirectory(prefix="mtl-estimate-") as folder:
        os.environ["MTL_CACHE"] = f"{folder}/cache"
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["MTL_CACHE"]
            else:
                os.environ["MTL_CACHE"] = before


def _rows(data: Data, split: str) -> int:
    return sum(len(dataset.splits[split]) for dataset in data.datasets.values())


def _sample(data: Data, rows: int) -> Data:
    """Returns data with so many rows of train, of all data sets together, and a part of dev."""
    share = rows / max(_rows(data, "train"), 1)
    generator = np.random.default_rng(0)

    def part(split: EncodedSplit, count: int) -> EncodedSplit:
        size = split.num_examples
        chosen = generator.choice(size, size=min(max(count, 1), size), replace=False)
        return split.take(np.sort(chosen))

    def of(dataset: EncodedDataset) -> EncodedDataset:
        train_split, dev = dataset.splits["train"], dataset.splits["dev"]
        some = {
            "train": part(train_split, round(share * train_split.num_examples)),
            "dev": part(dev, _DEV_ROWS),
        }
        return replace(dataset, splits=some)

    return replace(data, datasets={name: of(one) for name, one in data.datasets.items()})
