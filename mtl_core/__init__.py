"""One multi-task training run: data, tasks, model and training loop, without Ray or Optuna."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtl_core.config import RunConfig as RunConfig
    from mtl_core.errors import ConfigError as ConfigError
    from mtl_core.errors import DataError as DataError
    from mtl_core.errors import MtlError as MtlError
    from mtl_core.errors import TrainingError as TrainingError
    from mtl_core.prediction import Prediction as Prediction
    from mtl_core.predictor import Predictor as Predictor
    from mtl_core.training.loop import train as train
    from mtl_core.training.report import Report as Report

_HOMES = {
    "RunConfig": "mtl_core.config",
    "ConfigError": "mtl_core.errors",
    "DataError": "mtl_core.errors",
    "MtlError": "mtl_core.errors",
    "TrainingError": "mtl_core.errors",
    "Prediction": "mtl_core.prediction",
    "Predictor": "mtl_core.predictor",
    "train": "mtl_core.training.loop",
    "Report": "mtl_core.training.report",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used: torch takes seconds, an error class does not."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mtl_core' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
