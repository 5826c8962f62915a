"""Gradient checkpointing: layers run twice, numbers stay."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from encoders import tiny
from token_encoders import random_model

from mtl_core.errors import ConfigError
from mtl_core.model.checkpointing import check_checkpointing, use_checkpointing
from mtl_core.training.loop import train


def test_runs_with_and_without_come_to_the_same(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path
) -> None:
    for freezing in ({"kind": "none"}, {"kind": "lora", "from_layer": 1, "dropout": 0.1}):
        changes: dict[str, object] = {
            "encoder.name": str(tiny_encoder_with_dropout),
            "freezing": freezing,
            "training.epochs": 1,
        }
        losses = [
            [one.losses for one in train(run_config(changes | {key: is_on}))]
            for key in ["training.gradient_checkpointing"]
            for is_on in (False, True)
        ]
        assert losses[0] == losses[1]


@pytest.mark.parametrize("is_on", [False, True])
def test_layers_compute_again_when_it_is_on(is_on: bool) -> None:
    encoder = tiny("bert").train()
    use_checkpointing(encoder, is_on=True)
    use_checkpointing(encoder, is_on=is_on)
    calls = []
    encoder.encoder.layer[0].attention.register_forward_hook(lambda *_: calls.append(1))
    ids = torch.arange(5, 15).unsqueeze(0)
    encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.sum().backward()
    assert len(calls) == (2 if is_on else 1)


def test_families_that_cannot_are_refused() -> None:
    encoder = random_model("ctrl", vocab_size=60)
    for refused in (
        lambda: use_checkpointing(encoder, is_on=True),
        lambda: check_checkpointing(encoder.config),
    ):
        with pytest.raises(ConfigError, match="cannot compute the layers of a 'ctrl' model again"):
            refused()
    check_checkpointing(tiny("bert").config)
