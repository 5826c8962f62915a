"""The cache of hidden states in every precision, of the computation and of the files."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from safetensors.torch import load_file, save_file

from mtl_core.assets import Assets
from mtl_core.errors import TrainingError
from mtl_core.model.autocast import Precision
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.prefix_cache import PrefixSettings
from mtl_core.training import state
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.precision import Choice
from mtl_core.training.run import Run

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp32"])
@pytest.mark.parametrize("computed_in", ["bf16", "fp16", "fp32"])
def test_files_may_have_any_dtype(
    run_config: RunConfigFactory, computed_in: Precision, dtype: Precision
) -> None:
    """Their numbers are those of the computation, rounded."""
    config = run_config()
    assets = Assets.load(config, device=CPU)
    encoder = Encoder(name=config.encoder.name).load()

    def use(kept: Precision) -> torch.Tensor:
        settings = PrefixSettings(depth=2, precision=computed_in, dtype=kept, budget=2**30)
        data = assets.prefix_cache.apply(assets.data.datasets, encoder, settings)
        frozen = data["corpus"].splits["train"].frozen
        assert frozen is not None
        return frozen.values

    values, exact = use(dtype), use("fp32")
    assert values.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}.get(dtype, torch.float32)
    assert torch.equal(values, exact.to(values.dtype))


@pytest.mark.parametrize(("cache", "dtype"), [("auto", torch.bfloat16), ("fp16", torch.float16)])
def test_auto_keeps_the_precision_of_the_computation(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, cache: str, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(state, "choose", lambda *_: Choice("bf16"))
    config = run_config({"training.prefix_cache": cache, "freezing.kind": "encoder"})
    run = Run(config, Mean())
    list(run.run_epoch(1))
    frozen = run.loader.datasets["corpus"].splits["train"].frozen
    assert frozen is not None
    assert frozen.values.dtype == dtype


def test_hidden_states_beyond_fp16_are_refused(
    run_config: RunConfigFactory, tiny_encoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    weights = load_file(tmp_path / "encoder" / "model.safetensors")
    weights["embeddings.LayerNorm.weight"] *= 1e6
    save_file(weights, tmp_path / "encoder" / "model.safetensors", metadata={"format": "pt"})
    config = run_config(
        {
            "encoder.name": str(tmp_path / "encoder"),
            "training.prefix_cache": "fp16",
            "freezing.kind": "embeddings",
        }
    )
    with pytest.raises(TrainingError, match=r"^training\.prefix_cache: .* range of fp16 \(65504\)"):
        next(train(config))
