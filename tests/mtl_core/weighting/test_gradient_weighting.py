"""Weightings of gradients: against torchjd called directly, and cases worked by hand."""

import math
import warnings
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torchjd import aggregation
from weightings import GRADIENT_KINDS, KINDS, LOSSES, ONES

from mtl_core.weighting.base import GradientWeighting
from mtl_core.weighting.nash import bargain

GRADIENTS = torch.tensor([[4.0, 1.0, -2.0, 0.5], [-1.0, 2.0, 1.0, 0.5], [0.5, -1.0, 3.0, 1.0]])


def on_gradients(
    kind: str, weights: Mapping[str, float] = ONES, seed: int = 0, **parameters: float | str
) -> GradientWeighting:
    weighting = KINDS.validate_python({"kind": kind, **parameters}).build(weights, seed=seed)
    assert isinstance(weighting, GradientWeighting)
    return weighting


def combine(
    weighting: GradientWeighting, gradients: Tensor, names: tuple[str, ...] = tuple(ONES)
) -> Tensor:
    weighting.begin_step()
    losses = torch.tensor([LOSSES[name] for name in names])
    combined = weighting(gradients, losses, names)
    assert isinstance(combined, Tensor)
    return combined


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


@pytest.mark.parametrize(
    "kind", ["pcgrad", "cagrad", "upgrad", "mgda", "gradvac", "aligned_mtl", "imtl_g"]
)
def test_small_gradients_combine_as_large_ones(kind: str) -> None:
    whole, small = on_gradients(kind), on_gradients(kind)
    for step in (1.0, 1.5):
        combined = combine(small, step * 1e-6 * GRADIENTS)
        torch.testing.assert_close(1e6 * combined, combine(whole, step * GRADIENTS))


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize(("kind", "alpha"), [("nash", 1.0), ("fairgrad", 1.0), ("fairgrad", 2.0)])
def test_weights_solve_the_papers_equation_at_any_size(
    kind: str, alpha: float, size: float
) -> None:
    """G w = w**(-1 / alpha); for Nash alpha is 1."""
    settings = {"max_norm": 1e9} if kind == "nash" else {"alpha": alpha}
    weighting = on_gradients(kind, **settings)
    for fall in (3.0, 0.2, 1.0):
        gradients = size * GRADIENTS * torch.tensor([[1.0], [fall], [1.0]])
        combine(weighting, gradients)
    found = torch.tensor(list(weighting.current_weights().values()), dtype=torch.float64)
    products = (gradients.double() @ gradients.double().T) @ found
    torch.testing.assert_close(products, found ** (-1 / alpha), rtol=0.02, atol=0)


def test_cagrad_of_a_task_that_is_nearly_solved_is_the_papers() -> None:
    """g0 + c |g0| g_w / |g_w|, w from a grid over what the paper minimises."""
    gradients = torch.tensor([[20.2, 1.0, 0.0], [-1e-3, 1e-3, 1e-3]], dtype=torch.float64)
    mean = gradients.mean(dim=0)
    share = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    mixed = torch.stack([share, 1 - share], dim=1) @ gradients
    best = int((mixed @ mean + 0.5 * mean.norm() * mixed.norm(dim=1)).argmin())
    expected = mean + 0.5 * mean.norm() * mixed[best] / mixed[best].norm()
    combined = combine(on_gradients("cagrad", c=0.5), gradients.float(), ("intent", "slots"))
    torch.testing.assert_close(combined.double(), expected, rtol=1e-3, atol=1e-3)


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


def test_nash_is_that_of_torchjd_where_that_finds_it() -> None:
    weighting = on_gradients("nash", max_norm=0.8)
    theirs = aggregation.NashMTL(2, max_norm=0.8)
    # At 0.5 its solver says "unbounded" and stays where it was: weights times G w is 1.36 and -0.03
    # there, where it has to be 1.
    for scale in (1.0, 2.0):
        two = GRADIENTS[:2] * torch.tensor([[1.0], [scale]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy's, about the form of the problem
            expected = theirs(two)
        combined = combine(weighting, two, ("intent", "slots"))
        torch.testing.assert_close(combined, expected, rtol=1e-3, atol=1e-4)
    assert float(combined.norm()) <= 0.8 + 1e-5


@pytest.mark.parametrize("gradients", [[[1.0, 0.0], [-1.0, 0.0]], [[4.0, 0.0], [0.0, 0.0]]])
def test_nash_without_a_bargain_takes_the_mean(gradients: list[list[float]]) -> None:
    weighting = on_gradients("nash", update_every=2)
    for _ in range(3):
        combined = combine(weighting, torch.tensor(gradients), ("intent", "slots"))
        expected = torch.tensor(gradients).mean(0)  # (2, 0) is twice as long as an update may be
        torch.testing.assert_close(combined, expected.clamp(max=1))


def test_no_bargain_over_products_of_no_gradients() -> None:
    """As rounding may leave them where two gradients are opposite."""
    products = torch.tensor([[1, -1 - 1e-6], [-1 - 1e-6, 1]], dtype=torch.float64)
    assert bargain(products).isnan().all()


def test_bargain_of_any_gradients() -> None:
    """Up to eight tasks, whose gradients differ a millionfold and mostly agree or conflict."""
    generator = torch.Generator().manual_seed(0)
    for count in (2, 3, 5, 8) * 25:
        rows = torch.randn(count, 12, generator=generator, dtype=torch.float64)
        rows += 2 * torch.randn(12, generator=generator, dtype=torch.float64)
        rows *= 10 ** (6 * torch.rand(count, 1, generator=generator, dtype=torch.float64))
        products = rows @ rows.T / rows.square().sum()
        weights = bargain(products)
        assert weights.min() > 0
        torch.testing.assert_close(weights * (products @ weights), torch.ones_like(weights))


def test_nash_bargains_for_tasks_that_never_meet() -> None:
    weighting = on_gradients("nash", ONES | {"more": 1.0}, update_every=2, max_norm=100.0)
    for pair in [("intent", "slots"), ("topic", "more")] * 2:
        weighting.begin_step()
        weighting(GRADIENTS[:2], torch.ones(2), pair)
    assert all(weight != 1 for weight in weighting.current_weights().values())


def test_nash_goes_on_where_it_was_between_bargains() -> None:
    whole, cut = (on_gradients("nash", update_every=3, max_norm=100.0) for _ in range(2))
    for weighting in (whole, cut):
        combine(weighting, GRADIENTS)
    resumed = on_gradients("nash", update_every=3, max_norm=100.0)
    resumed.load_state_dict(cut.state_dict())
    for step in range(1, 4):
        gradients = GRADIENTS * torch.tensor([[1.0], [1.0 + step], [1.0]])
        torch.testing.assert_close(combine(resumed, gradients), combine(whole, gradients))


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


@pytest.mark.parametrize("seed", range(5))
def test_gradnorm_goes_down_the_slope_of_the_papers_objective(seed: int) -> None:
    """By autograd, with the target taken for a constant; a step of the same sum, as the paper's."""
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.randn(3, 6, generator=generator) * torch.tensor([[1.0], [3.0], [0.3]])
    first, now = torch.rand(2, 3, generator=generator) + 0.2
    weighting = on_gradients("gradnorm", alpha=1.5, lr=1e-3)
    names = tuple(ONES)
    weighting(gradients, first, names)
    start = torch.tensor(list(weighting.current_weights().values()))
    weighting(gradients, now, names)
    moved = torch.tensor(list(weighting.current_weights().values()))
    weights = start.clone().requires_grad_()
    sizes = (weights.unsqueeze(1) * gradients).norm(dim=1)
    ratios = now / first
    target = (sizes.mean() * (ratios / ratios.mean()) ** 1.5).detach()
    [slope] = torch.autograd.grad((sizes - target).abs().sum(), weights)
    new = start - 1e-3 * slope / gradients.norm(dim=1).mean()
    torch.testing.assert_close(moved, new * start.sum() / new.sum())


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
