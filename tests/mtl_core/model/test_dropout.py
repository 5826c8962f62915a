"""Dropout: its shares, its seed, and where it is torch's."""

import pytest
import torch

from mtl_core.model.dropout import FastDropout


class TestDropout:
    """Against the definition: a share of p is 0, the others are scaled, gradients alike."""

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    @pytest.mark.parametrize("shape", [(1000, 33), (7,), (64, 3, 5, 11)])
    def test_drops_its_share(self, p: float, shape: tuple[int, ...]) -> None:
        torch.manual_seed(0)
        values = torch.ones(shape, requires_grad=True)
        found = FastDropout(p)(values)
        found.sum().backward()
        kept = found != 0
        scaled = torch.full_like(found[kept], 1 / (1 - p))
        torch.testing.assert_close(found[kept], scaled, rtol=1e-4, atol=0)
        assert values.grad is not None
        assert torch.equal(values.grad, found.detach())
        count = values.numel()
        assert (~kept).sum() / count == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)

    @pytest.mark.parametrize("p", [0.99999, 0.999999])
    def test_nearly_all_can_be_dropped(self, p: float) -> None:
        """65535 of 65536 at most: what 16 bits can tell."""
        torch.manual_seed(0)
        found = FastDropout(p)(torch.ones(100_000))
        assert (found == 0).float().mean() > 0.9998
        assert found.max() <= 65536

    def test_neighbours_are_dropped_independently(self) -> None:
        """Four numbers come out of one draw: none must tell of another."""
        torch.manual_seed(0)
        kept = (FastDropout(0.3)(torch.ones(40000, 4)) != 0).double()
        correlation = torch.corrcoef(kept.T) - torch.eye(4)
        assert correlation.abs().max() < 5 / 40000**0.5

    def test_evaluation_and_the_ends_are_torchs(self) -> None:
        values = torch.randn(5, 3)
        assert torch.equal(FastDropout(0.5).eval()(values), values)
        assert torch.equal(FastDropout(0.0)(values), values)
        assert not FastDropout(1.0)(values).any()

    def test_the_seed_decides(self) -> None:
        masks = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            masks.append(FastDropout(0.5)(torch.ones(100)))
        assert torch.equal(masks[0], masks[1])
        assert not torch.equal(masks[0], masks[2])
