"""The whole life of a run, for the contract: trains, resumes, is saved, scores, predicts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import pytest
import torch
import yaml
from contract_files import FORMATS

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.export import export_best
from mtl_core.prediction import Text
from mtl_core.predictor import Predictor
from mtl_core.scoring import evaluate_model
from mtl_core.study_file import read_document
from mtl_core.training.loop import train
from mtl_core.training.report import Report
from mtl_core.validation import validate

EPOCHS = 3
INTENT = {"kind": "classification", "dataset": "rows", "column": "intent"}
SLOTS = {"kind": "tagging", "dataset": "rows", "column": "slots"}


def live(
    folder: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    changes: Mapping[str, Any],
    text: Text = "play some jazz in paris",
) -> Predictor:
    """Takes a run through its whole life."""
    raw: dict[str, Any] = {
        "encoder": {"name": str(tiny_encoder)},
        "datasets": {"rows": {"kind": "jsonl", **FORMATS["jsonl"]}},
        "tasks": {"intent": INTENT, "slots": SLOTS},
        "training": {"epochs": EPOCHS, "batch_size": 6, "precision": "fp32"},
        "optimizer": {"encoder_lr": 1e-3, "head_lr": 1e-2},
    }
    study = folder / f"{tmp_path.name}.yaml"
    study.write_text(yaml.safe_dump({**raw, **changes}), encoding="utf-8")
    config = validate(read_document(study), RunConfig)
    assets = Assets.load(config, device=torch.device("cpu"))
    best = trained(config, assets, tmp_path)
    return saved(config, assets, tmp_path, best, text)


def trained(config: RunConfig, assets: Assets, tmp_path: Path) -> Report:
    """Trains at one go, and once more with a break; returns the best epoch."""
    whole = list(train(config, assets=assets))
    cut = train(config, checkpoint=tmp_path / "run", assets=assets)
    next(cut)
    cut.close()
    resumed = list(train(config, checkpoint=tmp_path / "run", assets=assets))
    for ours, theirs in zip(resumed, whole, strict=True):
        assert ours.losses == theirs.losses
        assert str(ours.dev) == str(theirs.dev)  # NaN = NaN
        assert ours.weights == theirs.weights
    assert all(np.isfinite(list(report.losses.values())).all() for report in whole)

    return whole[whole[-1].best_number - 1]


def saved(config: RunConfig, assets: Assets, tmp_path: Path, best: Report, text: Text) -> Predictor:
    """Saves the model, scores what was saved, and predicts."""
    model = tmp_path / "model"
    export_best(tmp_path / "run", model, config=config, assets=assets, dev={}, test=None)
    found = evaluate_model(model, split="dev")
    for task, scores in best.dev.items():
        assert found.scores[task] == pytest.approx(scores, abs=1e-5, nan_ok=True)
    predictor = Predictor.load(model)
    features = [[1.0] * n] if (n := max(predictor.model.num_features.values())) else []
    [prediction, empty] = predictor([text, " "], features=features * 2)
    texts = {"text"} if isinstance(text, str) else {"text", "text_pair"}
    assert json.loads(prediction.to_json()).keys() == {*texts, *predictor.outputs_of()}
    assert all(output is None for output in empty.values())
    return predictor


def kinds_of(union: Any) -> set[str]:
    """Returns the names of all kinds of a union of sections."""
    members = (get_args(member)[0] if get_origin(member) is Annotated else member
               for member in get_args(get_args(union)[0]))  # fmt: skip
    sections = [member for member in members if hasattr(member, "model_fields")]
    return {
        kind for section in sections for kind in get_args(section.model_fields["kind"].annotation)
    }
