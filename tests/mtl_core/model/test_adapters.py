"""Low-rank adapters: what they add, and what a saved model holds of them."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory

from mtl_core.assets import Assets, build_tasks
from mtl_core.data.batching import make_batch
from mtl_core.errors import ConfigError
from mtl_core.export import export_best
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.scoring import evaluate_model
from mtl_core.training.loop import train

CPU = torch.device("cpu")


def test_unknown_adapter_target_is_refused(run_config: RunConfigFactory) -> None:
    config = run_config({"freezing": {"kind": "lora", "targets": ["query", "valu"]}})
    with pytest.raises(ConfigError, match=r"no linear layer 'valu'; .*Did you mean 'value'"):
        next(train(config))


def test_saved_model_holds_the_sum_of_weights_and_adapters(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    config = run_config(
        {
            "freezing": {"kind": "lora", "rank": 4, "targets": ["query", "value"]},
            "optimizer.encoder_lr": 1e-2,
        }
    )
    assets = Assets.load(config, device=CPU)
    names = set(Encoder(name=config.encoder.name).load().state_dict())
    reports = list(train(config, checkpoint=tmp_path / "run", assets=assets))
    report = reports[reports[-1].best_number - 1]
    export_best(
        tmp_path / "run", tmp_path / "model", config=config, assets=assets, dev={}, test=None
    )
    assert set(Encoder(name=str(tmp_path / "model")).load().state_dict()) == names
    found = evaluate_model(tmp_path / "model", split="dev")
    for task, scores in report.dev.items():
        assert found.scores[task] == pytest.approx(scores, abs=1e-6)


def test_merged_adapters_compute_the_same(run_config: RunConfigFactory) -> None:
    config = run_config({"freezing": {"kind": "lora", "alpha": 32}})
    assets = Assets.load(config, device=CPU)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    batch = make_batch(assets.data.datasets["corpus"].splits["train"], [0, 1], pad_token_id=0)
    with torch.no_grad():
        untouched = model(batch, ["intent"])["intent"]
        for name, parameter in model.encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
        adapted = model(batch, ["intent"])["intent"]
        assets.merge_adapters()
        merged = model(batch, ["intent"])["intent"]
    assert not torch.allclose(adapted, untouched, atol=1e-3)
    torch.testing.assert_close(merged, adapted, rtol=1e-5, atol=1e-5)
