"""On a GPU: what `auto` is, steps in half precision, and attention that is left to torch."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from conftest import RunConfigFactory
from short_runs import Settings
from torch import nn

from mtl_core.model.attention import fast_attention
from mtl_core.model.autocast import Precision, autocast
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.precision import choose
from mtl_core.training.run import Run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
GPU = torch.device("cuda")
ONE_STEP: Settings = {"training.epochs": 1, "training.batch_size": 1000}


def test_auto_is_what_the_card_has_units_for() -> None:
    has_bf16 = torch.cuda.get_device_capability() >= (8, 0)
    encoder = SimpleNamespace(hidden_size=384, intermediate_size=1536)
    assert choose("auto", GPU, encoder).precision == ("bf16" if has_bf16 else "fp32")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_step_agrees_with_fp32(run_config: RunConfigFactory, precision: Precision) -> None:
    """Losses, and the weights after the update, in which no number moves by more than its rate."""
    runs = {}
    for name in ("fp32", precision):
        settings: Settings = {"training.precision": name, "optimizer.warmup": 0}
        runs[name] = Run(run_config(ONE_STEP | settings), Mean())
    [single], [half] = (run.run_epoch(1) for run in runs.values())
    assert half.precision == precision
    assert half.losses == pytest.approx(single.losses, rel=0.02)
    weights = [run.state.model.state_dict() for run in runs.values()]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=0, atol=2.5e-3, msg=name)
    scale = runs[precision].state.scale
    assert (scale is None) == (precision == "bf16")


@pytest.mark.parametrize("kind", ["uncertainty", "pcgrad"])
def test_weightings_train_in_fp16(run_config: RunConfigFactory, kind: str) -> None:
    common: Settings = {"weighting.kind": kind, "optimizer.encoder_lr": 1e-3}
    single, half = (
        list(train(run_config(common | {"training.precision": precision})))[-1]
        for precision in ("fp32", "fp16")
    )
    assert half.losses == pytest.approx(single.losses, rel=0.05)


def test_frozen_layers_give_the_same_from_the_cache(run_config: RunConfigFactory) -> None:
    common: Settings = {"freezing.kind": "encoder", "training.precision": "fp32"}
    cached, computed = (
        list(train(run_config(common | {"training.prefix_cache": cache})))[-1]
        for cache in ("auto", "off")
    )
    assert cached.losses == pytest.approx(computed.losses, rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_attention_is_left_to_torch(monkeypatch: pytest.MonkeyPatch, precision: Precision) -> None:
    from transformers.integrations import sdpa_attention

    watched = Mock(wraps=sdpa_attention.sdpa_attention_forward)
    monkeypatch.setattr(sdpa_attention, "sdpa_attention_forward", watched)
    layer = nn.Module()
    layer.is_causal = False  # type: ignore[assignment]
    parts = [torch.randn(2, 4, 8, 16, device=GPU, requires_grad=True) for _ in range(3)]
    with autocast(GPU, precision):
        fast_attention(layer, *parts, None, dropout=0.1)
    watched.assert_called_once()
