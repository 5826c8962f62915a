"""The average of the weights: its formula, and that it is what is scored and saved."""

import math
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory
from scipy.stats import beta
from short_runs import EAGER, Settings, assert_same, save_short_run
from torch import Tensor

from mtl_core.scoring import evaluate_model
from mtl_core.training.averaging import EVERY, WIDEST, AveragingAdamW, exponent_of
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run

Weights = dict[str, Tensor]


def nothing() -> None:
    """Nothing is late here."""


def optimizer_of(weight: Tensor, other: Tensor, width: float | None) -> AveragingAdamW:
    groups = [{"params": [weight], "name": "encoder"}, {"params": [other], "name": "weighting"}]
    return AveragingAdamW(groups, width=width)


def step(optimizer: AveragingAdamW, weights: Sequence[Tensor]) -> None:
    for weight in weights:
        weight.grad = torch.randn(weight.shape)
    optimizer.step()
    optimizer.count(nothing)


def expected(seen: Sequence[tuple[int, Tensor]], exponent: float) -> Tensor:
    """The integral of s^g w(s) over s^g, with w(s) what stood at the end of each part."""
    last = seen[-1][0]
    ends = [0, *(end for end, _ in seen)]
    shares = [(end / last) ** (exponent + 1) - (start / last) ** (exponent + 1)
              for start, end in pairwise(ends)]  # fmt: skip
    return sum(share * weight for share, (_, weight) in zip(shares, seen, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("width", [0.001, 0.02, 0.1, 0.25, WIDEST])
def test_the_width_is_the_spread_of_the_average_over_the_steps(width: float) -> None:
    # The density (g + 1) s^g on [0, 1] is that of a beta distribution.
    assert beta(exponent_of(width) + 1, 1).std() == pytest.approx(width)


def test_the_widest_average_is_nearly_the_plain_mean() -> None:
    assert exponent_of(1 / math.sqrt(12)) == pytest.approx(0, abs=1e-9)
    assert 0 < exponent_of(WIDEST) < 0.2


@pytest.mark.parametrize("width", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("steps", [3, EVERY, 5 * EVERY + 3])
def test_the_average_is_that_of_the_formula(width: float, steps: int) -> None:
    torch.manual_seed(0)
    weight, other = (torch.nn.Parameter(torch.randn(3, 2)) for _ in range(2))
    optimizer = optimizer_of(weight, other, width)
    seen = []
    for number in range(1, steps + 1):
        step(optimizer, [weight, other])
        if number % EVERY == 0 or number == steps:
            seen.append((number, weight.detach().clone()))
    last, loss_weight = weight.detach().clone(), other.detach().clone()
    optimizer.show()
    torch.testing.assert_close(weight.detach(), expected(seen, exponent_of(width)))
    # What weighs the losses of tasks is not averaged.
    assert torch.equal(other, loss_weight)
    optimizer.hide()
    assert torch.equal(weight, last)


def test_weights_are_brought_up_to_date_before_each_look() -> None:
    weight, other = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer, called = optimizer_of(weight, other, 0.1), []
    for number in range(1, 3 * EVERY + 1):
        optimizer.count(lambda number=number: called.append(number))
    assert called == [EVERY, 2 * EVERY, 3 * EVERY]
    plain = optimizer_of(weight, other, None)
    for _ in range(3 * EVERY):
        plain.count(lambda: pytest.fail("nothing is averaged"))
    assert plain.averages == []
    assert "average" not in plain.state_dict()


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_state_goes_on_where_it_was_saved(is_shown: bool) -> None:
    torch.manual_seed(0)
    ours, other = (torch.nn.Parameter(torch.randn(4)) for _ in range(2))
    optimizer = optimizer_of(ours, other, 0.1)
    for _ in range(11):
        step(optimizer, [ours, other])
    if is_shown:
        optimizer.show()
    theirs, third = (torch.nn.Parameter(p.detach().clone()) for p in (ours, other))
    again = optimizer_of(theirs, third, 0.1)
    again.load_state_dict(deepcopy(optimizer.state_dict()))
    for made, weights in ((optimizer, [ours, other]), (again, [theirs, third])):
        torch.manual_seed(1)
        made.hide()
        for _ in range(11):
            step(made, weights)
        made.show()
    assert torch.equal(ours, theirs)
    with pytest.raises(KeyError, match="average"):
        again.load_state_dict(optimizer_of(ours, other, None).state_dict())


def test_a_run_is_saved_with_the_average_and_trains_without(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    # Whose word embeddings train row by row: they are late between two looks.
    settings: Settings = {"training.batch_size": 4, "optimizer.encoder_lr": 1e-3}
    plain = Run(run_config(settings), Mean())
    seen: list[tuple[int, Weights]] = []
    for epoch in (1, 2):
        for number, batch in enumerate(plain.begin(epoch), start=1):
            plain.step(batch, list(plain.loader.micro_batches(batch, epoch)))
            done = (epoch - 1) * 15 + number
            # At 8, at the report after 15 steps, 8 steps later, and at the end.
            if done in (8, 15, 23, 30):
                assert plain.stage is not None
                plain.stage.optimizer.settle()
                model = plain.state.model
                seen.append((done, {n: p.detach().clone() for n, p in model.named_parameters()}))
    averaged = run_config({**settings, "optimizer.averaging": 0.1})
    losses = [report.losses for report in train(averaged, checkpoint=tmp_path)]
    raw = [report.losses for report in train(run_config(settings))]
    for ours, theirs in zip(losses, raw, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    for name, weight in state["model"].items():
        mean = expected([(at, weights[name]) for at, weights in seen], exponent_of(0.1))
        torch.testing.assert_close(weight, mean, rtol=0, atol=1e-5, msg=name)
        # Not the biases: those of keys have no gradient.
        if name.endswith(".weight"):
            assert not torch.allclose(weight, seen[-1][1][name], rtol=0, atol=1e-5), name
    kept = {tuple(tensor.shape) for tensor in state["optimizer"]["average"]["kept"]}
    assert kept == {tuple(weight.shape) for weight in state["model"].values()}


def test_what_is_scored_is_what_is_saved(run_config: RunConfigFactory, tmp_path: Path) -> None:
    config = run_config({**EAGER, "optimizer.averaging": 0.15, "training.epochs": 4})
    model = save_short_run(config, tmp_path)
    reports = list(train(config, checkpoint=tmp_path / "checkpoint"))
    best = reports[reports[-1].best_number - 1]
    found = evaluate_model(model, split="dev").scores
    for task, score in (("intent", "accuracy"), ("slots", "f1")):
        assert found[task][score] == pytest.approx(best.dev[task][score])
    # The weights between two reports are others, with other scores.
    plain = list(train(run_config({**EAGER, "training.epochs": 4})))
    assert [r.dev for r in plain] != [r.dev for r in reports]
    assert np.allclose([r.losses["intent"] for r in plain], [r.losses["intent"] for r in reports])


def test_the_average_of_an_unmoved_weight_is_the_weight(run_config: RunConfigFactory) -> None:
    run = Run(run_config({"optimizer.averaging": 0.1, "tasks.slots.weight": 0}), Mean())
    head = run.state.model.head("slots")
    before = {name: p.detach().clone() for name, p in head.named_parameters()}
    for _ in run.run_epoch(1):
        assert run.state.optimizer.is_shown
    assert_same(dict(head.named_parameters()), before)
