"""Settings of small runs, and what is compared of them."""

from pathlib import Path

import torch
from torch import Tensor

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.export import export_best
from mtl_core.training.loop import train
from mtl_core.training.report import Report

Settings = dict[str, object]
EAGER: Settings = {
    # Enough to learn the 60 train sentences, on which such a run is scored as well.
    "datasets.corpus.splits": {"dev": "train"},
    "optimizer.encoder_lr": 3e-3,
    "optimizer.head_lr": 1e-2,
    "training.batch_size": 4,
    "training.epochs": 10,
}


def run(config: RunConfig, folder: Path) -> tuple[list[Report], dict[str, Tensor]]:
    """Returns all reports and the weights after the last epoch."""
    reports = list(train(config, checkpoint=folder))
    return reports, torch.load(folder / "state.pt", weights_only=True)["model"]


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor], tolerance: float = 0) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=0, atol=tolerance, msg=name)


def save_short_run(config: RunConfig, folder: Path) -> Path:
    """Trains on the CPU; returns the folder of the model of the best epoch, `folder / "model"`."""
    assets = Assets.load(config, device=torch.device("cpu"))
    for _ in train(config, checkpoint=folder / "checkpoint", assets=assets):
        pass
    model = folder / "model"
    export_best(folder / "checkpoint", model, config=config, assets=assets, dev={}, test=None)
    return model
