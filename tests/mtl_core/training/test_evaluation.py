"""Evaluation: what it sets on which split, and the precision it computes in."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from conftest import RunConfigFactory

from mtl_core import scoring
from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.export import export_best
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import TaskSection
from mtl_core.tasks.building import build_task
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.regression import Regression
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import evaluate
from mtl_core.training.loop import train
from mtl_core.training.objectives.base import counted_tasks
from mtl_core.training.objectives.joint_accuracy import JointAccuracy
from mtl_core.training.objectives.mean import Mean

CPU = torch.device("cpu")


@pytest.fixture
def config(run_config: RunConfigFactory, tmp_path: Path) -> RunConfig:
    """A run with topics, of which each sentence has none, one or both."""
    rows = [
        {"text": f"play {n} songs by band {n % 5}", "topics": ["even", "third"][n % 2 : 2 - n % 3]}
        for n in range(24)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    splits = dict.fromkeys(("train", "dev", "test"), str(path))
    return run_config(
        {
            "datasets": {"rows": {"kind": "jsonl", "splits": splits}},
            "tasks": {"topics": {"kind": "multilabel", "dataset": "rows", "column": "topics"}},
        }
    )


def evaluate_new_model(
    config: RunConfig, model: MultiTaskModel, assets: Assets, split: str
) -> None:
    evaluate(
        model,
        build_tasks(config, assets.data.datasets),
        assets.data.datasets,
        split=split,
        place=Place.current(),
        precision=config.training.precision,
        collator=build_collator(config, assets.data.tokenizer),
    )


def test_thresholds_are_set_on_dev_and_never_on_test(config: RunConfig) -> None:
    assets = Assets.load(config, device=CPU)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    thresholds = model.head("topics").get_buffer("thresholds")
    evaluate_new_model(config, model, assets, "test")
    assert thresholds.tolist() == [0.5, 0.5]
    evaluate_new_model(config, model, assets, "dev")
    assert 0.5 not in thresholds.tolist()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp32", torch.float32)],
)
def test_evaluation_computes_in_the_precision_of_the_run(
    run_config: RunConfigFactory, name: str, dtype: torch.dtype
) -> None:
    config = run_config({"training.precision": name})
    assets = Assets.load(config, device=CPU)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    seen = []
    model.head("intent").register_forward_hook(lambda _, __, logits: seen.append(logits.dtype))
    evaluate_new_model(config, model, assets, "dev")
    assert set(seen) == {dtype}


def test_a_saved_model_is_scored_in_what_it_predicts_in(
    run_config: RunConfigFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run computed in bf16, and the predictor computes in fp32."""
    config = run_config({"training.precision": "bf16", "training.epochs": 1})
    assets = Assets.load(config, device=CPU)
    [report] = train(config, checkpoint=tmp_path / "checkpoint", assets=assets)
    assert report.precision == "bf16"
    model = tmp_path / "model"
    export_best(tmp_path / "checkpoint", model, config=config, assets=assets, dev={}, test=None)
    watched = Mock(wraps=evaluate)
    monkeypatch.setattr(scoring, "evaluate", watched)
    scores = scoring.evaluate_model(model, split="dev").scores
    assert scores["intent"]["accuracy"] == pytest.approx(report.dev["intent"]["accuracy"], abs=0.05)
    assert watched.call_args.kwargs["precision"] == "fp32"


def test_joint_accuracy_hangs_on_tasks_that_know_right_from_wrong() -> None:
    labels = LabelNames(("a", "b"), (), (1, 1))
    sections: dict[str, TaskSection] = {
        "intent": Classification(dataset="d", column="c"),
        "rating": Regression(dataset="d", column="c"),
        "extra": Classification(dataset="d", column="c", auxiliary=True),
    }
    tasks = {name: build_task(name, section, labels) for name, section in sections.items()}
    assert counted_tasks(Mean(), tasks) == ["intent", "rating"]
    assert counted_tasks(JointAccuracy(), tasks) == ["intent"]
