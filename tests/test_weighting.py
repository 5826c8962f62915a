"""Weightings: against torchjd called directly, and cases worked by hand."""

import io
import itertools
import math
import warnings
from collections.abc import Mapping

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor
from torchjd import aggregation, scalarization

from mtl_core.training.step import loss_factors
from mtl_core.weighting.base import GradientWeighting, LossWeighting
from mtl_core.weighting.kinds import WeightingSection

KINDS: TypeAdapter[WeightingSection] = TypeAdapter(WeightingSection)
LOSS_KINDS = ["fixed", "uncertainty", "dwa", "random", "geometric_mean", "imtl_l", "stch", "famo"]
GRADIENT_KINDS = [
    "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "gradvac", "graddrop", "aligned_mtl",
    "fairgrad", "imtl_g", "nash",
]  # fmt: skip
ONES = {"intent": 1.0, "slots": 1.0, "topic": 1.0}
LOSSES = {"intent": 2.0, "slots": 3.0, "topic": 0.5}
GRADIENTS = torch.tensor([[4.0, 1.0, -2.0, 0.5], [-1.0, 2.0, 1.0, 0.5], [0.5, -1.0, 3.0, 1.0]])


def on_losses(
    kind: str, weights: Mapping[str, float] = ONES, seed: int = 0, **parameters: float
) -> LossWeighting:
    weighting = KINDS.validate_python({"kind": kind, **parameters}).build(weights, seed=seed)
    assert isinstance(weighting, LossWeighting)
    return weighting


def on_gradients(
    kind: str, weights: Mapping[str, float] = ONES, seed: int = 0, **parameters: float | str
) -> GradientWeighting:
    weighting = KINDS.validate_python({"kind": kind, **parameters}).build(weights, seed=seed)
    assert isinstance(weighting, GradientWeighting)
    return weighting


def tensors(values: Mapping[str, float]) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}


def factors(weighting: LossWeighting, values: Mapping[str, float]) -> dict[str, float]:
    weighting.begin_step()
    return {name: float(f) for name, f in loss_factors(weighting, tensors(values)).items()}


def combine(
    weighting: GradientWeighting, gradients: Tensor, names: tuple[str, ...] = tuple(ONES)
) -> Tensor:
    weighting.begin_step()
    losses = torch.tensor([LOSSES[name] for name in names])
    combined = weighting(gradients, losses, names)
    assert isinstance(combined, Tensor)
    return combined


def test_every_kind_is_tested_here() -> None:
    [union, *_] = WeightingSection.__args__  # type: ignore[attr-defined]
    kinds = {section.model_fields["kind"].default for section in union.__args__}
    assert kinds == {*LOSS_KINDS, *GRADIENT_KINDS}


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


def test_pcgrad_of_two_opposing_gradients_by_hand() -> None:
    # g1 = (1, 0), g2 = (-1, 1): g1 loses its part along g2, -1/2 g2; g2 its part along g1, -g1.
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    combined = combine(on_gradients("pcgrad"), gradients, ("intent", "slots"))
    torch.testing.assert_close(combined, torch.tensor([0.5, 0.5]) + torch.tensor([0.0, 1.0]))


def test_mgda_of_orthogonal_gradients_by_hand() -> None:
    # The shortest vector between (1, 0) and (0, 2) stands on their difference: (4/5, 2/5).
    gradients = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    combined = combine(on_gradients("mgda", epsilon=1e-6), gradients, ("intent", "slots"))
    torch.testing.assert_close(combined, torch.tensor([0.8, 0.4]))


def test_imtl_g_projects_alike_onto_every_direction() -> None:
    combined = combine(on_gradients("imtl_g"), GRADIENTS)
    shadows = GRADIENTS @ combined / GRADIENTS.norm(dim=1)
    torch.testing.assert_close(shadows, shadows[0].expand(3), rtol=1e-3, atol=1e-4)


def test_upgrad_harms_no_task() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        gradients = torch.randn(3, 5, generator=generator)
        assert (gradients @ combine(on_gradients("upgrad"), gradients) > -1e-4).all()


@pytest.mark.parametrize(
    ("kind", "parameters", "theirs"),
    [
        ("pcgrad", {}, aggregation.PCGrad()),
        ("cagrad", {"c": 0.4}, aggregation.CAGrad(0.4)),
        ("upgrad", {}, aggregation.UPGrad()),
        ("mgda", {"max_iterations": 7}, aggregation.MGDA(max_iters=7)),
        ("aligned_mtl", {"scale": "rmse"}, aggregation.AlignedMTL(scale_mode="rmse")),
        ("fairgrad", {"alpha": 2.0}, aggregation.FairGrad(2.0)),
        ("imtl_g", {}, aggregation.IMTLG()),
    ],
)
def test_gradients_combine_as_by_torchjd(
    kind: str, parameters: dict[str, float | str], theirs: aggregation.Aggregator
) -> None:
    weights = {"intent": 0.5, "slots": 2.0, "topic": 1.0}
    weighting = on_gradients(kind, weights, **parameters)
    two = GRADIENTS[:2]  # of two tasks the order cannot matter
    combined = combine(weighting, two, ("intent", "slots"))
    torch.testing.assert_close(combined, theirs(two))
    found = weighting.current_weights()
    torch.testing.assert_close(
        torch.tensor([found["intent"] / 0.5, found["slots"] / 2.0]) @ two, combined
    )


def test_gradvac_follows_that_of_torchjd_and_keeps_the_pairs_of_absent_tasks() -> None:
    weighting, theirs = on_gradients("gradvac", beta=0.3), aggregation.GradVac(0.3)
    for scale in (1.0, 2.0, -0.5):
        two = GRADIENTS[:2] * torch.tensor([[1.0], [scale]])
        torch.testing.assert_close(combine(weighting, two, ("intent", "slots")), theirs(two))
        combine(weighting, GRADIENTS[1:], ("slots", "topic"))


def test_nash_follows_that_of_torchjd() -> None:
    weighting = on_gradients("nash", max_norm=0.8)
    theirs = aggregation.NashMTL(2, max_norm=0.8)
    for scale in (1.0, 2.0, 0.5):
        two = GRADIENTS[:2] * torch.tensor([[1.0], [scale]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy's, about the form of the problem
            expected = theirs(two)
        combined = combine(weighting, two, ("intent", "slots"))
        torch.testing.assert_close(combined, expected, rtol=1e-3, atol=1e-4)
    assert float(combined.norm()) <= 0.8 + 1e-5


def test_nash_keeps_its_weights_between_bargains() -> None:
    weighting = on_gradients("nash", update_every=3, max_norm=100.0)
    seen = []
    for scale in (1.0, 2.0, 3.0, 4.0):
        combine(weighting, GRADIENTS * torch.tensor([[scale], [1.0], [1.0]]))
        seen.append(weighting.current_weights())
    assert seen[0] == seen[1] == seen[2] != seen[3]


def test_graddrop_keeps_gradients_of_one_sign() -> None:
    weighting = on_gradients("graddrop")
    gradients = torch.tensor([[1.0, 2.0, -1.0, 0.0], [-3.0, 2.0, -1.0, 0.0]]).repeat(1, 2000)
    combined = combine(weighting, gradients, ("intent", "slots")).view(2000, 4)
    assert set(combined[:, 0].tolist()) == {1.0, -3.0}
    # The share of positive mass is (1 + (1 - 3) / (1 + 3)) / 2 = 1/4.
    assert float((combined[:, 0] == 1).float().mean()) == pytest.approx(0.25, abs=0.04)
    assert (combined[:, 1:] == torch.tensor([4.0, -2.0, 0.0])).all()


def test_gradnorm_by_hand() -> None:
    weighting = on_gradients("gradnorm", {"intent": 1.0, "slots": 1.0}, alpha=1.0, lr=0.1)
    gradients = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    first = weighting(gradients, torch.tensor([2.0, 2.0]), ("intent", "slots"))
    assert first.tolist() == [3.0, 1.0]
    # Sizes 3 and 1, targets 2 and 2: slopes 3 / 2 down and 1 / 2 up, of rate 0.1.
    new = torch.tensor([1 - 0.15, 1 + 0.05])
    new = 2 * new / new.sum()
    assert list(weighting.current_weights().values()) == pytest.approx(new.tolist())
    # Now the second task lags (ratios 0.5 and 1.5 of mean 1) and gets a larger target.
    second = weighting(gradients, torch.tensor([1.0, 3.0]), ("intent", "slots"))
    assert second.tolist() == pytest.approx([3 * float(new[0]), float(new[1])])
    weights = weighting.current_weights()
    assert weights["slots"] > float(new[1])
    assert sum(weights.values()) == pytest.approx(2)


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
def test_a_lone_task_keeps_its_gradient(kind: str) -> None:
    torch.testing.assert_close(
        combine(on_gradients(kind), GRADIENTS[1:2], ("slots",)), GRADIENTS[1]
    )


@pytest.mark.parametrize("kind", GRADIENT_KINDS)
@pytest.mark.parametrize(
    "gradients",
    [
        torch.zeros(3, 4),
        GRADIENTS * torch.tensor([[1.0], [0.0], [1.0]]),
        GRADIENTS[[0, 0, 1]],
        GRADIENTS[[0, 1, 1]] * torch.tensor([[1.0], [1.0], [-1.0]]),
        GRADIENTS * 1e-12,
        GRADIENTS * 1e6,
    ],
    ids=["all zero", "one zero", "two the same", "two opposite", "tiny", "large"],
)
def test_degenerate_gradients_give_finite_updates(kind: str, gradients: Tensor) -> None:
    weighting = on_gradients(kind)
    for _ in range(2):
        assert combine(weighting, gradients).isfinite().all()
    assert all(math.isfinite(value) for value in weighting.current_weights().values())


@pytest.mark.parametrize("kind", [*LOSS_KINDS, *GRADIENT_KINDS])
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


@pytest.mark.parametrize("kind", ["pcgrad", "gradvac", "graddrop"])
def test_random_parts_are_alike_on_every_worker_and_leave_the_generator_alone(kind: str) -> None:
    first, second = on_gradients(kind, seed=5), on_gradients(kind, seed=5)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = [combine(first, GRADIENTS) for _ in range(6)]
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    for ours, theirs in zip(one, [combine(second, GRADIENTS) for _ in range(6)], strict=True):
        assert torch.equal(ours, theirs)
