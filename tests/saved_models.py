"""Saved models for tests: trained for a moment, and written as runs write them."""

from pathlib import Path

import torch

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.export import export_best
from mtl_core.training.loop import train
from mtl_core.training.report import EpochReport


def train_and_export(config: RunConfig, folder: Path) -> EpochReport:
    """Saves the model of a run in `folder / "model"`; returns the report of its best epoch."""
    assets = Assets.load(config, device=torch.device("cpu"))
    reports = list(train(config, checkpoint=folder / "checkpoint", assets=assets))
    best = reports[reports[-1].best_epoch - 1]
    export_best(folder / "checkpoint", folder / "model", config=config, assets=assets,
                dev=best.dev, test=None)  # fmt: skip
    return best
