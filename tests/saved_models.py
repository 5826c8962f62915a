"""Saved models for tests: trained for a moment or not at all, and written as runs write them."""

from pathlib import Path

import torch

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.export import export_best, save_model
from mtl_core.saved_model import ForPeople
from mtl_core.training.loop import train
from mtl_core.training.report import Report


def train_and_export(config: RunConfig, folder: Path) -> Report:
    """Saves the model of a run in `folder / "model"`; returns the report of its best epoch."""
    assets = Assets.load(config, device=torch.device("cpu"))
    reports = list(train(config, checkpoint=folder / "checkpoint", assets=assets))
    best = reports[reports[-1].best_number - 1]
    export_best(folder / "checkpoint", folder / "model", config=config, assets=assets,
                dev=best.dev, test=None)  # fmt: skip
    return best


def save_untrained(config: RunConfig, folder: Path) -> Path:
    """Saves the model of a run as it begins, in the folder; returns the folder."""
    assets = Assets.load(config, device=torch.device("cpu"))
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    save_model(folder, model, config=config, assets=assets, people=ForPeople("# Model\n"),
               precision="fp32")  # fmt: skip
    return folder
