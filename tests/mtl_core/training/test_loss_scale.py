"""fp16: the loss scale against torch's, runs that overflow, and runs that do not."""

from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from short_runs import EAGER, Settings, assert_same, run
from torch import Tensor, nn
from torch.optim import AdamW

from mtl_core.errors import TrainingError
from mtl_core.training import state
from mtl_core.training.gradients import divide
from mtl_core.training.loop import train
from mtl_core.training.loss_scale import LossScale
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.row_adamw import RowAdamW
from mtl_core.training.run import Run
from mtl_core.weighting.base import GradientWeighting
from mtl_core.weighting.gramian import GramianWeighting

HALF: Settings = {"training.precision": "fp16"}
# What overflows in the steps 1, 2, 6 and 15; in between the factor doubles three times.
PATTERN = [number in (1, 2, 6, 15) for number in range(1, 23)]


def a_step(weight: nn.Parameter, number: int, factor: float, *, overflows: bool) -> None:
    """Leaves the gradient of a scaled loss, with an infinity in it when it overflows."""
    inputs = torch.linspace(-1, 1, weight.numel()) * number
    weight.grad = None
    torch.autograd.backward(((weight * inputs).sum() ** 2 + weight.square().sum()) * factor)
    if overflows:
        assert weight.grad is not None
        weight.grad[number % 3] = float("inf") if number % 2 else float("nan")


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_steps_are_those_of_torchs_scaler(clip_norm: float | None) -> None:
    ours, theirs = (nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 0.5])) for _ in range(2))
    optimizer, other = (AdamW([weight], lr=0.1, fused=True) for weight in (ours, theirs))
    scale = LossScale(growth_interval=4)
    stepper = RowAdamW(optimizer, scale=scale, clip_norm=clip_norm)
    scaler = torch.amp.GradScaler("cpu", growth_interval=4)
    for number, overflows in enumerate(PATTERN, start=1):
        a_step(ours, number, scale.factor, overflows=overflows)
        divide([ours], scale.factor)
        assert stepper.step() is not overflows
        scaler.scale(torch.zeros(()))  # It makes its factor when it is first asked to scale.
        a_step(theirs, number, scaler.get_scale(), overflows=overflows)
        scaler.unscale_(other)
        if clip_norm is not None:
            nn.utils.clip_grad_norm_([theirs], clip_norm)
        scaler.step(other)
        scaler.update()
        assert scale.factor == scaler.get_scale()
        assert scale.clean_steps == scaler.state_dict()["_growth_tracker"]
        torch.testing.assert_close(ours, theirs)
    assert scale.factor == 2.0**16 / 2**4 * 2**3
    assert optimizer.state[ours]["step"] == len(PATTERN) - sum(PATTERN)


def test_defaults_are_those_of_torchs_scaler() -> None:
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.zeros(()))
    assert LossScale().factor == scaler.get_scale()
    assert LossScale().growth_interval == scaler.get_growth_interval()


def test_gradients_that_no_scale_saves_end_the_run() -> None:
    scale = LossScale()
    for _ in range(30):
        scale.update(is_finite=False)
    message = r"beyond the range of fp16 \(65504\).*use bf16 or fp32"
    with pytest.raises(TrainingError, match=message):
        scale.update(is_finite=False)
    assert scale.factor == 2.0**-15


def test_fp16_reaches_the_scores_of_fp32(run_config: RunConfigFactory) -> None:
    single, half = (
        list(train(run_config(EAGER | settings)))[-1] for settings in (Settings(), HALF)
    )
    assert half.precision == "fp16"
    assert half.combined == pytest.approx(single.combined, abs=0.05)
    assert half.losses == pytest.approx(single.losses, rel=0.15)


def test_fp16_stays_near_fp32(run_config: RunConfigFactory) -> None:
    single, half = (
        list(train(run_config({"optimizer.encoder_lr": 1e-3} | settings)))[-1]
        for settings in (Settings(), HALF)
    )
    assert half.losses == pytest.approx(single.losses, rel=0.01)
    assert half.losses != single.losses


@pytest.mark.parametrize("kind", ["uncertainty", "famo", "gradnorm", "pcgrad", "nash"])
def test_weightings_in_fp16_stay_near_fp32(run_config: RunConfigFactory, kind: str) -> None:
    common: Settings = {"weighting.kind": kind, "optimizer.encoder_lr": 1e-3}
    single, half = (list(train(run_config(common | more)))[-1] for more in (Settings(), HALF))
    assert half.losses == pytest.approx(single.losses, rel=0.03)
    assert half.weights == pytest.approx(single.weights, rel=0.2, abs=0.05)


@pytest.mark.parametrize(
    "kind", ["fixed", "uncertainty", "famo", "gradnorm", "pcgrad", "gradvac", "nash"]
)
def test_a_step_that_overflows_changes_nothing_that_trains(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One step at a scale of 2**60: weights, optimiser, rows, schedule and weighting stay."""
    monkeypatch.setattr(state, "LossScale", partial(LossScale, 2.0**60))
    one_step: Settings = {"training.epochs": 1, "training.batch_size": 1000}
    config = run_config(one_step | HALF | {"weighting.kind": kind, "training.gradients_every": 1})
    made = Run(config, Mean())
    kept = made.state
    weights = {n: value.clone() for n, value in kept.model.state_dict().items()}
    known, weighting = kept.weighting.current_weights(), kept.weighting
    learnt = {n: value.clone() for n, value in weighting.named_parameters()}
    [report] = made.run_epoch(1)
    assert kept.scale == LossScale(2.0**59)
    assert_same(dict(kept.model.state_dict()), weights)
    assert_same(dict(weighting.named_parameters()), learnt)
    if isinstance(weighting, GradientWeighting):
        assert weighting.current_weights() == known
    assert kept.schedule.last_epoch == 0
    assert report.gradients == {}
    assert all(0 < loss < 10 for loss in report.losses.values())


def test_a_run_finds_the_scale_that_it_can_have(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LossScale", partial(LossScale, 2.0**30))
    config = run_config(HALF | {"training.batch_size": 2, "optimizer.encoder_lr": 1e-3})
    made = Run(config, Mean())
    [first], [second] = made.run_epoch(1), made.run_epoch(2)
    assert made.state.scale is not None
    skipped = 30 - torch.tensor(made.state.scale.factor).log2().item()
    assert 5 < skipped < 25
    assert made.state.schedule.last_epoch == second.step - skipped
    assert sum(second.losses.values()) < sum(first.losses.values())


def test_gradient_weightings_see_gradients_without_the_scale(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def combine(self: object, gradients: Tensor, losses: Tensor, names: object) -> Tensor:
        seen.append(gradients.clone())
        return gradients.sum(0)

    monkeypatch.setattr(GramianWeighting, "forward", combine)
    one_step: Settings = {"training.epochs": 1, "training.batch_size": 1000}
    for settings in (Settings(), HALF):
        list(train(run_config(one_step | settings | {"weighting.kind": "pcgrad"})))
    single, half = seen
    torch.testing.assert_close(half, single, rtol=0.02, atol=0.01 * float(single.abs().max()))


@pytest.mark.parametrize("kind", ["fixed", "gradvac"])
def test_a_resumed_run_keeps_its_scale(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """The numbers are those of a run in one piece; the factor moves in both epochs."""
    monkeypatch.setattr(state, "LossScale", partial(LossScale, 2.0**24, growth_interval=3))
    config = run_config(HALF | {"weighting.kind": kind, "training.batch_size": 6})
    _, whole = run(config, tmp_path / "whole")
    list(islice(train(config, checkpoint=tmp_path / "parts"), 1))
    _, parts = run(config, tmp_path / "parts")
    assert_same(parts, whole)
    first, second = (
        torch.load(tmp_path / name / "state.pt", weights_only=True)["loss_scale"]
        for name in ("whole", "parts")
    )
    assert first == second
    assert first["factor"] < 2.0**24
