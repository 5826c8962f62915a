"""The kind `lora`: what adapters compute, from which layer on, and on weights of fewer bits."""

import json
import math
import warnings
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from encoders import tiny
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from pydantic import TypeAdapter, ValidationError
from token_encoders import random_model
from torch import Tensor, nn

from mtl_core.assets import Assets, build_tasks
from mtl_core.errors import ConfigError
from mtl_core.model.adapters import Adapters, AdapterSettings
from mtl_core.model.kinds import FreezingSection
from mtl_core.model.layers import separate_layers
from mtl_core.model.targets import find_targets
from mtl_core.training.loop import train
from mtl_core.training.run_inputs import difference

KINDS: TypeAdapter[FreezingSection] = TypeAdapter(FreezingSection)
IDS = torch.arange(5, 45).reshape(4, 10)


def states(encoder: nn.Module) -> Tensor:
    with torch.no_grad():
        found: Tensor = encoder(
            input_ids=IDS, attention_mask=torch.ones_like(IDS)
        ).last_hidden_state
    return found


def draw(encoder: nn.Module) -> None:
    """Gives adapters numbers: new ones add nothing."""
    torch.manual_seed(1)
    for name, parameter in encoder.named_parameters():
        if ".lora_" in name:
            nn.init.normal_(parameter, std=0.3)


def put_in(encoder: nn.Module, targets: list[str] | str = "all", **settings: object) -> Adapters:
    found = find_targets(encoder, targets)
    return Adapters(
        {"encoder": encoder},
        found,
        AdapterSettings(4, 8.0, **settings),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_merged_weights_are_those_of_the_papers(family: str, dora: bool, rslora: bool) -> None:
    encoder = random_model(family, vocab_size=60)
    target = "attention.self.query" if family == "bert" else "attn.c_attn"
    [name, _] = find_targets(encoder, [target])["encoder"]
    old = encoder.get_parameter(f"{name}.weight").detach().clone()
    adapters = put_in(encoder, [target], dora=dora, rslora=rslora)
    draw(encoder)
    parts = dict(adapters.weights())
    adapted = states(encoder)
    adapters.merge()
    torch.testing.assert_close(states(encoder), adapted, rtol=1e-4, atol=1e-5)
    weight = old if family == "bert" else old.T  # GPT-2's are turned.
    scale = 8.0 / (math.sqrt(4) if rslora else 4)
    up, down = (parts[f"encoder.{name}.lora_{side}.weight"] for side in "BA")
    expected = weight + scale * up @ down
    if dora:
        magnitude = parts[f"encoder.{name}.lora_magnitude_vector"]
        expected = magnitude[:, None] * expected / expected.norm(dim=1, keepdim=True)
    found = encoder.get_parameter(f"{name}.weight")
    torch.testing.assert_close(found if family == "bert" else found.T, expected)


def test_new_adapters_change_nothing() -> None:
    for settings in ({}, {"dora": True}):
        encoder = tiny("bert").eval()
        before = states(encoder)
        put_in(encoder, **settings)
        torch.testing.assert_close(states(encoder), before)


def test_saved_weights_have_the_names_of_peft() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks Transformers by an old name.
        theirs = get_peft_model(tiny("bert"), LoraConfig(r=4, target_modules=["query", "dense"]))
    expected = get_peft_model_state_dict(theirs)
    found = put_in(tiny("bert"), ["query", "dense"]).weights()
    assert {
        f"base_model.model.{name.removeprefix('encoder.')}": value.shape
        for name, value in found.items()
    } == {name: value.shape for name, value in expected.items()}


def test_weights_of_another_shape_are_refused() -> None:
    adapters = put_in(tiny("bert"))
    weights = adapters.weights()
    name = next(iter(weights))
    for wrong in (weights | {name: torch.zeros(1, 1)}, {name: weights[name]}, weights | {"x": IDS}):
        with pytest.raises(ValueError, match=r"expected .*, found"):
            adapters.load(wrong)


def test_layers_below_the_first_adapted_one_stay_as_they_are(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path
) -> None:
    changes: dict[str, object] = {
        "encoder.name": str(tiny_encoder_with_dropout),
        "freezing": {"kind": "lora", "from_layer": 2},
    }
    config = run_config(changes)
    [*_, report] = train(config)
    names = {name for name in report.trained if name.startswith("encoder.")}
    assert names == {"encoder.layer_2"}
    encoder = tiny("bert")
    section = config.freezing
    section.add_adapters(encoder)
    layers = separate_layers(encoder, "test").layers
    assert section.frozen_depth(encoder, epoch=1) == 2
    assert [any(".lora_" in n for n, _ in layer.named_parameters()) for layer in layers] == [
        False, False, True
    ]  # fmt: skip
    assert section.frozen_modules(encoder, epoch=1)[-1] is layers[1]  # without dropout


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"from_layer": 3}, r"from_layer: expected at most 2, the top layer .*; found 3"),
        (
            {"from_layer": 1, "targets": ["layer.0.output.dense"]},
            r"has from this layer on no linear",
        ),
    ],
)
def test_impossible_targets_are_refused(settings: dict[str, object], message: str) -> None:
    section = KINDS.validate_python({"kind": "lora", **settings})
    with pytest.raises(ConfigError, match=message):
        section.check(tiny("bert"))


def test_broken_expression_is_refused_in_the_study_file() -> None:
    with pytest.raises(ValidationError, match="not a regular expression: missing"):
        KINDS.validate_python({"kind": "lora", "targets": "(q|v"})


def test_null_of_older_recipes_is_all() -> None:
    assert KINDS.validate_python({"kind": "lora", "targets": None}) == KINDS.validate_python(
        {"kind": "lora", "targets": "all"}
    )


def test_checkpoint_of_an_older_recipe_is_of_the_same_run(run_config: RunConfigFactory) -> None:
    now = run_config({"freezing": {"kind": "lora"}}).model_dump(mode="json")
    old = {"kind": "lora", "rank": 8, "alpha": 16.0, "dropout": 0.0, "targets": None}
    before, again = (
        {"run": json.dumps(run), "objective": "{}"} for run in (now | {"freezing": old}, now)
    )
    assert difference(before, again) is None
    before["run"] = before["run"].replace('"rank": 8', '"rank": 4')
    assert "freezing.rank" in str(difference(before, again))


@pytest.mark.parametrize("family", ["bert", "gpt2"])
@pytest.mark.parametrize("bits", [16, 8, 4])
def test_fewer_bits_compute_on_rounded_weights(family: str, bits: int) -> None:
    if bits < 16:
        pytest.importorskip("bitsandbytes")
    encoder, plain = (random_model(family, vocab_size=60) for _ in "ab")
    before = states(encoder)
    adapters = put_in(encoder, bits=bits)
    draw(encoder)
    adapted = states(encoder)
    adapters.merge()
    # What is saved computes what was trained: 8 bits also round the states at every layer.
    close = {"rtol": 0.1, "atol": 0.1} if bits == 8 else {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(states(encoder), adapted, **close)
    assert not torch.allclose(adapted, before, atol=0.1)
    assert {n: p.dtype for n, p in encoder.named_parameters()} == {
        n: torch.float32 for n, _ in plain.named_parameters()
    }


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_removed_adapters_leave_all_weights_as_they_were(bits: int) -> None:
    if bits < 16:
        pytest.importorskip("bitsandbytes")
    encoder = tiny("bert").eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    modules = {name: type(module) for name, module in encoder.named_modules()}
    adapters = put_in(encoder, "attention", bits=bits)
    in_layers = [name for name, p in encoder.named_parameters() if ".layer." in name]
    assert any(encoder.get_parameter(name).dtype != torch.float32 for name in in_layers)
    adapters.remove()
    assert {name: type(module) for name, module in encoder.named_modules()} == modules
    after = encoder.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_bf16_weights_under_autocast_change_no_number() -> None:
    found = []
    for bits in (32, 16):
        encoder = tiny("bert").eval()
        put_in(encoder, bits=bits)
        draw(encoder)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(states(encoder))
    assert torch.equal(*found)


@pytest.mark.parametrize("bits", [4, 8])
def test_fewer_than_16_bits_are_refused_on_a_cpu(run_config: RunConfigFactory, bits: int) -> None:
    config = run_config({"freezing": {"kind": "lora", "bits": bits}})
    with pytest.raises(ConfigError, match=rf"freezing\.bits: {bits} needs a CUDA GPU.*use 16 or"):
        next(train(config))


def test_runs_with_adapters_share_one_base_and_leave_it_as_it_is(
    run_config: RunConfigFactory,
) -> None:
    lora = run_config({"freezing": {"kind": "lora"}, "training.epochs": 1})
    full = run_config({"training.epochs": 1})
    assets = Assets.load(lora, device=torch.device("cpu"))
    tasks = build_tasks(lora, assets.data.datasets)
    encoder = assets.new_model(lora, tasks).encoder
    base = {p.data_ptr() for name, p in encoder.named_parameters() if ".lora_" not in name}
    pristine = {name: value.clone() for name, value in encoder.state_dict().items()}
    first = [report.losses for report in train(lora, assets=assets)]
    list(train(full, assets=assets))
    second = [report.losses for report in train(lora, assets=assets)]
    assets.merge_adapters()
    third = [report.losses for report in train(lora, assets=assets)]
    assert first == second == third
    again = assets.new_model(lora, tasks).encoder
    assert {p.data_ptr() for n, p in again.named_parameters() if ".lora_" not in n} == base
    for name, value in again.state_dict().items():
        assert ".lora_" in name or torch.equal(value, pristine[name])
