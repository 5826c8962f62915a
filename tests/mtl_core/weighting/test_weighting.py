"""Weightings of losses, against torchjd called directly; both sorts go on where they were cut."""

import io
import itertools
import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torchjd import scalarization
from weightings import ALL_KINDS, KINDS, LOSSES, ONES

from mtl_core.training.gradients import loss_factors
from mtl_core.weighting.base import GradientWeighting, LossWeighting


def on_losses(
    kind: str, weights: Mapping[str, float] = ONES, seed: int = 0, **parameters: float
) -> LossWeighting:
    weighting = KINDS.validate_python({"kind": kind, **parameters}).build(weights, seed=seed)
    assert isinstance(weighting, LossWeighting)
    return weighting


def tensors(values: Mapping[str, float]) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


def factors(weighting: LossWeighting, values: Mapping[str, float]) -> dict[str, float]:
    weighting.begin_step()
    return {name: float(f) for name, f in loss_factors(weighting, tensors(values)).items()}


def test_fixed_is_the_weighted_sum() -> None:
    weighting = on_losses("fixed", {"intent": 0.5, "slots": 4.0})
    assert weighting(tensors({"intent": 2.0, "slots": 3.0})) == 13.0
    assert weighting(tensors({"slots": 3.0})) == 12.0
    assert weighting.current_weights() == {"intent": 0.5, "slots": 4.0}


@pytest.mark.parametrize(
    ("kind", "theirs"), [("uncertainty", scalarization.UW), ("imtl_l", scalarization.IMTLL)]
)
def test_learnt_scales_train_as_those_of_torchjd(
    kind: str, theirs: type[scalarization.UW | scalarization.IMTLL]
) -> None:
    ours, reference = on_losses(kind), theirs(len(ONES))
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (ours, reference)]
    for step in range(3):
        now = {name: value + step for name, value in LOSSES.items()}
        pair = ours(tensors(now)), reference(torch.tensor(list(now.values())))
        torch.testing.assert_close(*pair)
        for optimizer, objective in zip(optimizers, pair, strict=True):
            optimizer.zero_grad()
            objective.backward()
            optimizer.step()
    learnt = torch.stack([p.detach() for p in ours.parameters()])
    torch.testing.assert_close(learnt, next(reference.parameters()).detach())


def test_absent_tasks_keep_their_learnt_scale() -> None:
    weighting = on_losses("uncertainty")
    weighting(tensors({"slots": 3.0})).backward()
    named = dict(weighting.named_parameters())
    moved = {name for name, parameter in named.items() if parameter.grad is not None}
    assert [name for name in named if "slots" in name] == [*moved]


def test_dwa_gives_the_weights_of_torchjd_after_every_epoch() -> None:
    ours, theirs = on_losses("dwa", temperature=1.5), scalarization.DWA(1.5)
    for epoch in range(4):
        losses = {"intent": 2.0 / (epoch + 1), "slots": 3.0 - 0.2 * epoch, "topic": 0.5}
        values = torch.tensor(list(losses.values()), requires_grad=True)
        theirs(values).backward()
        assert values.grad is not None
        share = torch.tensor(list(factors(ours, losses).values()))
        torch.testing.assert_close(share / share.sum(), values.grad / values.grad.sum())
        assert float(share.sum()) == pytest.approx(3)
        ours.after_epoch(losses)
        theirs.step()


def test_dwa_bears_any_change_of_the_losses() -> None:
    weighting = on_losses("dwa", temperature=1e-3)
    for slots in (1e-5, 2e-2):
        weighting.after_epoch({"intent": 1.0, "slots": slots})
    assert weighting.current_weights() == pytest.approx({"intent": 0, "slots": 2, "topic": 1})


def test_the_geometric_mean_bears_a_loss_of_zero() -> None:
    weighting = on_losses("geometric_mean")
    found = factors(weighting, LOSSES | {"slots": 0.0})
    assert all(math.isfinite(factor) for factor in found.values())
    assert found["intent"] > 0


def test_random_weights_add_up_to_one_and_are_alike_on_every_worker() -> None:
    first, second, other = (on_losses("random", seed=seed) for seed in (7, 7, 8))
    drawn = [factors(first, LOSSES) for _ in range(50)]
    assert drawn == [factors(second, LOSSES) for _ in range(50)]
    assert drawn[0] != drawn[1]
    assert drawn != [factors(other, LOSSES) for _ in range(50)]
    assert all(sum(one.values()) == pytest.approx(1) for one in drawn)
    mean = sum(one["intent"] for one in drawn) / 50
    assert mean == pytest.approx(1 / 3, abs=0.1)


def test_geometric_mean_divides_each_gradient_by_its_loss() -> None:
    # (abc)^(1/3) has the derivative (abc)^(1/3) / (3 a).
    mean = math.prod(LOSSES.values()) ** (1 / 3)
    expected = {name: mean / (3 * value) for name, value in LOSSES.items()}
    assert factors(on_losses("geometric_mean"), LOSSES) == pytest.approx(expected)
    two = {"intent": 2.0, "topic": 0.5}
    assert factors(on_losses("geometric_mean"), two) == pytest.approx({"intent": 0.25, "topic": 1})


def test_stch_is_that_of_torchjd_over_the_present_tasks() -> None:
    weighting = on_losses("stch", {"intent": 1.0, "slots": 2.0, "topic": 1.0}, mu=0.7)
    values = torch.tensor([2.0, 6.0], requires_grad=True)
    scalarization.STCH(0.7)(values).backward()
    assert values.grad is not None
    expected = {"intent": float(values.grad[0]), "slots": 2 * float(values.grad[1])}
    assert factors(weighting, {"intent": 2.0, "slots": 3.0}) == pytest.approx(expected)


def test_famo_follows_that_of_torchjd() -> None:
    ours = on_losses("famo", lr=0.1)
    theirs = scalarization.FAMO(3, lr=0.1, weight_decay=1e-3)
    for step in range(5):
        before = torch.tensor([2.0, 3.0, 0.5]) / (1 + step)
        after = before * torch.tensor([0.5, 0.9, 0.99])
        values = before.clone().requires_grad_()
        theirs(values).backward()
        theirs.update(after)
        got = factors(ours, dict(zip(ONES, before.tolist(), strict=True)))
        ours.after_step(tensors(dict(zip(ONES, after.tolist(), strict=True))))
        assert values.grad is not None
        torch.testing.assert_close(torch.tensor(list(got.values())), values.grad)
    assert got["intent"] < got["topic"]


def test_famo_passes_over_tasks_of_weight_0() -> None:
    alone = on_losses("famo", {"intent": 1.0, "slots": 1.0})
    beside = on_losses("famo", {"intent": 1.0, "none": 0.0, "slots": 1.0})
    losses = {"intent": 2.0, "slots": 0.5}
    for weighting in (alone, beside):
        factors(weighting, losses)
        weighting.after_step(tensors({"intent": 1.0, "slots": 0.5}))
    assert factors(beside, losses) == factors(alone, losses)


def test_famo_takes_an_absent_task_as_unchanged() -> None:
    ours, theirs = on_losses("famo"), on_losses("famo")
    for weighting in (ours, theirs):
        factors(weighting, LOSSES)
        weighting.after_step(tensors(LOSSES))
    factors(ours, {"intent": 2.0, "slots": 3.0})
    ours.after_step(tensors({"intent": 1.0, "slots": 3.0}))
    factors(theirs, LOSSES)
    theirs.after_step(tensors(LOSSES | {"intent": 1.0}))
    torch.testing.assert_close(ours.state_dict()["famo._w"], theirs.state_dict()["famo._w"])


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_run_that_goes_on_sees_what_it_would_have_seen(kind: str) -> None:
    whole, cut = (KINDS.validate_python({"kind": kind}).build(ONES, seed=3) for _ in range(2))
    expected = [one_step(whole, number) for number in range(8)]
    got = [one_step(cut, number) for number in range(4)]
    file = io.BytesIO()
    torch.save(cut.state_dict(), file)
    file.seek(0)
    resumed = KINDS.validate_python({"kind": kind}).build(ONES, seed=3)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.current_weights() == cut.current_weights()
    got += [one_step(resumed, number) for number in range(4, 8)]
    for ours, theirs in zip(got, expected, strict=True):
        assert torch.equal(ours, theirs)


def one_step(weighting: torch.nn.Module, number: int) -> Tensor:
    """Makes a step with another set of tasks each time; returns what it gives."""
    generator = torch.Generator().manual_seed(number)
    sets = [c for size in (3, 2) for c in itertools.combinations(ONES, size)]
    names = sets[number % len(sets)]
    losses = torch.rand(len(names), generator=generator) + 0.1
    if isinstance(weighting, GradientWeighting):
        weighting.begin_step()
        gradients = torch.randn(len(names), 6, generator=generator)
        return torch.as_tensor(weighting(gradients, losses, names))
    assert isinstance(weighting, LossWeighting)
    values = dict(zip(names, losses.tolist(), strict=True))
    found = torch.tensor(list(factors(weighting, values).values()))
    if weighting.wants_losses_after_step:
        weighting.after_step(tensors({name: value * 0.9 for name, value in values.items()}))
    trained = [p for p in weighting.parameters() if p.requires_grad]
    if trained:
        slopes = torch.autograd.grad(weighting(tensors(values)), trained, allow_unused=True)
        with torch.no_grad():
            for parameter, slope in zip(trained, slopes, strict=True):
                if slope is not None:
                    parameter.sub_(0.1 * slope)
    weighting.after_epoch(values)
    return found
