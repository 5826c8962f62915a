"""Settings of small runs, and what is compared of them."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.training.loop import train
from mtl_core.training.report import EpochReport

Settings = dict[str, object]


PLAIN: Settings = {
    # One step an epoch, nothing shared between the tasks but the frozen encoder.
    "freezing": {"kind": "encoder"},
    "training.batch_size": 1000,
    "optimizer.clip_norm": None,
    "optimizer.schedule": "constant",
    "tasks.intent.head.dropout": 0,
    "tasks.slots.head.dropout": 0,
}


INTENT = {"kind": "classification", "dataset": "corpus", "column": "intent"}


NO_TEST: Settings = {"datasets.corpus.splits": {"test": None}}


EAGER: Settings = {
    # Enough to learn the 60 train sentences, on which such a run is scored as well.
    "datasets.corpus.splits": {"dev": "train"},
    "optimizer.encoder_lr": 3e-3,
    "optimizer.head_lr": 1e-2,
    "training.batch_size": 4,
    "training.epochs": 10,
}


def without_times(reports: list[EpochReport]) -> list[EpochReport]:
    return [replace(report, seconds=0.0, sentences_per_second=0.0) for report in reports]


def run(config: RunConfig, folder: Path) -> tuple[list[EpochReport], dict[str, Tensor]]:
    """Returns all reports and the weights after the last epoch."""
    reports = list(train(config, checkpoint=folder))
    return reports, torch.load(folder / "state.pt", weights_only=True)["model"]


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor], tolerance: float = 0) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=0, atol=tolerance, msg=name)
