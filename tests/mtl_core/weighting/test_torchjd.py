"""The private parts of torchjd are what they were in the version that they were read in."""

from importlib.metadata import version

import torch
from torchjd.aggregation import GradVacWeighting
from torchjd.scalarization import FAMO

from mtl_core.weighting._torchjd import famo_adam, give_running_cosines, restore_famo_adam


def test_the_version_is_the_one_whose_private_parts_are_known() -> None:
    """Of another version, read `mtl_core/weighting/_torchjd.py` against its source first."""
    assert version("torchjd") == "0.18.0"


def test_gradvac_goes_on_from_the_cosines_that_it_is_given() -> None:
    gradients = torch.tensor([[4.0, 1.0], [-1.0, 2.0]])
    gramian = gradients @ gradients.T
    whole, cut = GradVacWeighting(0.5), GradVacWeighting(0.5)
    cosines = torch.zeros(2, 2)
    for _ in range(3):
        torch.manual_seed(0)
        expected = whole(gramian)
        torch.manual_seed(0)
        give_running_cosines(cut, cosines, dtype=gramian.dtype)
        assert torch.equal(cut(gramian), expected)
        cut.reset()
    assert cosines.abs().sum() > 0  # Changed in place, or they would not run on.


def test_famo_goes_on_from_its_state() -> None:
    whole, cut = FAMO(2), FAMO(2)
    assert famo_adam(whole) is None
    for famo in (whole, cut):
        famo(torch.tensor([2.0, 3.0]))
        famo.update(torch.tensor([1.0, 2.9]))
    state = famo_adam(cut)
    assert state is not None
    resumed = FAMO(2)
    resumed.load_state_dict(cut.state_dict())
    restore_famo_adam(resumed, state)
    for famo in (whole, resumed):
        famo(torch.tensor([1.0, 2.9]))
        famo.update(torch.tensor([0.9, 2.0]))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
