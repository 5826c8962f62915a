"""Adapters saved alone: peft reads them, so do we, and only on their own base."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import RunConfigFactory
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.export import export_best
from mtl_core.merging import merge_model
from mtl_core.predictor import Predictor
from mtl_core.scoring import evaluate_model
from mtl_core.training.loop import train

CPU = torch.device("cpu")
Train = Callable[[RunConfig, Path], Any]


def trained(config: RunConfig, folder: Path) -> Any:
    """Trains and saves a model; returns its best report."""
    assets = Assets.load(config, device=CPU)
    reports = list(train(config, checkpoint=folder / "run", assets=assets))
    export_best(folder / "run", folder / "model", config=config, assets=assets, dev={}, test=None)
    return reports[reports[-1].best_number - 1]


@pytest.fixture(scope="module")
def alone(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    trained(settings(run_config), folder)
    return folder / "model"


def settings(run_config: RunConfigFactory, **changes: object) -> RunConfig:
    lora = {"kind": "lora", "saved": "adapters", "targets": "attention", "from_layer": 1}
    return run_config(
        {"freezing": lora | changes, "optimizer.encoder_lr": 1e-2, "training.epochs": 1}
    )


@pytest.mark.parametrize("changes", [{}, {"dora": True, "bits": 16, "targets": "all"}], ids=str)
def test_they_predict_what_was_scored(
    changes: dict[str, object], run_config: RunConfigFactory, tmp_path: Path
) -> None:
    report = trained(settings(run_config, **changes), tmp_path)
    found = evaluate_model(tmp_path / "model", split="dev")
    for task, scores in report.dev.items():
        assert found.scores[task] == pytest.approx(scores, abs=1e-6)
    assert not (tmp_path / "model" / "model.safetensors").exists()


def test_peft_puts_them_on_the_base(alone: Path, tiny_encoder: Path) -> None:
    ours = Predictor.load(alone, device="cpu").model.encoder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks Transformers by an old name.
        theirs = PeftModel.from_pretrained(AutoModel.from_pretrained(tiny_encoder), alone).eval()
    ids = torch.arange(5, 25).reshape(2, 10)
    mask = torch.ones_like(ids)
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
        found = ours(input_ids=ids, attention_mask=mask).last_hidden_state
        base = AutoModel.from_pretrained(tiny_encoder)(input_ids=ids).last_hidden_state
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, base, atol=1e-2)
    said = json.loads((alone / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == str(tiny_encoder)
    assert said["task_type"] == "FEATURE_EXTRACTION"


def test_merged_model_is_one_that_transformers_reads(alone: Path, tmp_path: Path) -> None:
    ours = Predictor.load(alone, device="cpu").model.encoder
    merge_model(alone, tmp_path / "merged")
    theirs = AutoModel.from_pretrained(tmp_path / "merged")
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    ids = torch.arange(5, 25).reshape(2, 10)
    with torch.no_grad():
        found = [one(input_ids=ids).last_hidden_state for one in (ours, theirs)]
    torch.testing.assert_close(*found)
    again = Predictor.load(tmp_path / "merged", device="cpu")
    assert again.config == Predictor.load(alone, device="cpu").config
    with pytest.raises(ConfigError, match="holds all its weights; there is nothing to merge"):
        merge_model(tmp_path / "merged", tmp_path / "more")
    with pytest.raises(ConfigError, match="expected another folder than that of the adapters"):
        merge_model(alone, alone)


def test_a_base_of_other_weights_is_refused(
    alone: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "base")
    shutil.copytree(alone, tmp_path / "model")
    run = (alone / "run.yaml").read_text().replace(str(tiny_encoder), str(tmp_path / "base"))
    (tmp_path / "model" / "run.yaml").write_text(run)
    Predictor.load(tmp_path / "model", device="cpu")
    weights = load_file(tmp_path / "base" / "model.safetensors")
    name = next(iter(weights))
    weights[name] += 1
    save_file(weights, tmp_path / "base" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"trained on other weights than '.*base' has now"):
        Predictor.load(tmp_path / "model", device="cpu")
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(
        ConfigError, match=r"it holds adapters, whose base is missing: run\.encoder"
    ):
        Predictor.load(tmp_path / "model", device="cpu")


def change_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.replace("query", "quarry"): value for name, value in weights.items()}


def lose_one(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(list(weights.items())[1:])


def break_one(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value * float("nan") for name, value in weights.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_names, "the base has no layer of this name"),
        (lose_one, "expected .*, found nothing"),
        (break_one, "expected numbers, found NaN"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    message: str,
    alone: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(alone, tmp_path / "model")
    path = tmp_path / "model" / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=rf"adapter_model\.safetensors: .*{message}"):
        Predictor.load(tmp_path / "model", device="cpu")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("rank: 8", "rank: 1000000", r"run\.yaml, which makes a model far larger than adapter"),
        ("rank: 8", "rank: 9", r"expected \(9, \d+\), found \(8, \d+\)"),
        # Never matched against anything: it would not end.
        ("targets: attention", "targets: (.*)*(.*)*(.*)*(.*)*!", None),
    ],
)
def test_a_run_that_asks_for_others_is_refused(
    before: str, after: str, message: str | None, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone, tmp_path / "model")
    run = (alone / "run.yaml").read_text()
    assert before in run
    (tmp_path / "model" / "run.yaml").write_text(run.replace(before, after))
    if message is None:
        Predictor.load(tmp_path / "model", device="cpu")
        return
    with pytest.raises(ConfigError, match=message):
        Predictor.load(tmp_path / "model", device="cpu")
