"""The optimiser: learning rates by layer and head, weight decay, warm-up and schedules."""

import math

import pytest
import torch
from conftest import RunConfigFactory
from torch.optim import AdamW

from mtl_core.assets import Assets, build_tasks
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.training.loop import train
from mtl_core.training.optimizer import build_optimizer, build_schedule, rate_factor

HEAD_RATES = {"intent": 0.03, "slots": 0.04}


def build(run_config: RunConfigFactory, **overrides: object) -> tuple[MultiTaskModel, AdamW]:
    keys = {f"optimizer.{name}": value for name, value in overrides.items()}
    config = run_config(keys)
    assets = Assets.load(config, device=torch.device("cpu"))
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    weighting = config.weighting.build({"intent": 1.0, "slots": 1.0}, seed=0)
    return model, build_optimizer(model, weighting, config.optimizer, HEAD_RATES)


def settings(model: MultiTaskModel, optimizer: AdamW, key: str) -> dict[str, float]:
    """Returns parameter name -> setting of its group."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: group[key]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_rates_fall_by_the_decay_from_layer_to_layer(run_config: RunConfigFactory) -> None:
    rates = settings(*build(run_config, encoder_lr=0.01, layer_decay=0.5), "lr")
    for name, rate in rates.items():
        if "encoder.layer." in name:
            number = int(name.split(".")[3])
            assert rate == pytest.approx(0.01 * 0.5 ** (2 - number))
        elif "embeddings" in name:
            assert rate == pytest.approx(0.01 * 0.5**3)


@pytest.mark.parametrize("kind", ["lora", "bias_only"])
def test_adapters_and_biases_have_the_rate_of_their_layer(
    run_config: RunConfigFactory, kind: str
) -> None:
    config = run_config({"freezing.kind": kind, "optimizer.layer_decay": 0.5})
    assets = Assets.load(config, device=torch.device("cpu"))
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    model.freeze([], config.freezing.frozen_parameters(model.encoder, epoch=1))
    weighting = config.weighting.build({"intent": 1.0, "slots": 1.0}, seed=0)
    rates = settings(model, build_optimizer(model, weighting, config.optimizer, HEAD_RATES), "lr")
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert rates.keys() == trained
    in_layers = {name for name in rates if "encoder.layer." in name}
    assert all("lora_" in name or name.endswith("bias") for name in in_layers)
    for name in in_layers:
        number = int(name.partition("encoder.layer.")[2][0])
        assert rates[name] == pytest.approx(config.optimizer.encoder_lr * 0.5 ** (2 - number))


def test_every_parameter_is_in_one_group(run_config: RunConfigFactory) -> None:
    for layer_decay in (1.0, 0.5):
        model, optimizer = build(run_config, layer_decay=layer_decay)
        grouped = [p for group in optimizer.param_groups for p in group["params"]]
        assert len(grouped) == len(set(grouped)) == len(list(model.parameters()))


def test_heads_have_their_own_rates(run_config: RunConfigFactory) -> None:
    rates = settings(*build(run_config, encoder_lr=0.01), "lr")
    assert {name.split(".")[0]: rate for name, rate in rates.items() if "head" not in name} == {
        "encoder": 0.01
    }
    assert {name.split(".")[1]: rate for name, rate in rates.items() if "head" in name} == {
        "head_intent": 0.03,
        "head_slots": 0.04,
    }


def test_biases_and_norms_do_not_decay(run_config: RunConfigFactory) -> None:
    decays = settings(*build(run_config, weight_decay=0.1, layer_decay=0.5), "weight_decay")
    for name, decay in decays.items():
        is_matrix = not name.endswith("bias") and "LayerNorm" not in name
        assert decay == (0.1 if is_matrix else 0.0), name


def test_log_variances_train_at_the_rate_of_heads_without_decay(
    run_config: RunConfigFactory,
) -> None:
    config = run_config(
        {"weighting.kind": "uncertainty", "optimizer.schedule": "constant", "training.epochs": 1}
    )
    [report] = train(config)
    assert report.learning_rates["weighting"] == config.optimizer.head_lr
    assert all(weight != 0.5 for weight in report.weights.values())  # they started there


def test_task_rate_replaces_the_head_rate(run_config: RunConfigFactory) -> None:
    config = run_config(
        {
            "tasks.slots.learning_rate": 0.02,
            "optimizer.head_lr": 0.005,
            "optimizer.schedule": "constant",
            "training.epochs": 1,
        }
    )
    [report] = train(config)
    rates = report.learning_rates
    assert (rates["head.intent"], rates["head.slots"]) == (0.005, 0.02)


@pytest.mark.parametrize(
    ("schedule", "at_half"), [("linear", 0.5), ("cosine", 0.5), ("constant", 1.0)]
)
def test_schedules_rise_then_follow_their_formula(schedule: str, at_half: float) -> None:
    def factor(step: int) -> float:
        return rate_factor(step, schedule=schedule, warmup_steps=4, total_steps=24)  # type: ignore[arg-type]

    assert [factor(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factor(14) == pytest.approx(at_half)
    quarter = {"linear": 0.75, "cosine": (1 + math.cos(math.pi / 4)) / 2, "constant": 1.0}
    assert factor(9) == pytest.approx(quarter[schedule])
    assert factor(24) == pytest.approx(1.0 if schedule == "constant" else 0.0)


def test_warmup_is_a_share_of_all_steps() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = AdamW([{"params": [parameter], "name": "p", "lr": 0.1}])
    schedule = build_schedule(optimizer, schedule="linear", warmup=0.25, total_steps=8)
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    falling = [0.1 * (1 - done / 6) for done in range(6)]
    assert rates == pytest.approx([0.1 / 3, 0.2 / 3, *falling])
