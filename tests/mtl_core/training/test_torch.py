"""The private parts of torch are what they were in the version that they were read in."""

import torch

from mtl_core.training import precision
from mtl_core.training._torch import divide_all, processor_flags


def test_torchs_private_names_are_those_of_the_version_they_were_checked_with() -> None:
    """With another version: look whether these are still there, or public by now."""
    assert torch.__version__.partition("+")[0] == "2.13.0"
    found = processor_flags()
    assert all(isinstance(flag, bool) for flag in found)
    assert (precision.bf16_instructions() != "") >= any(found)


def test_all_are_divided_in_place() -> None:
    tensors = [torch.full((2, 3), 3.0), torch.full((4,), 1.5)]
    expected = [tensor / 1.5 for tensor in tensors]
    before = list(tensors)
    divide_all(tensors, 1.5)
    for tensor, same, right in zip(tensors, before, expected, strict=True):
        assert tensor is same
        assert torch.equal(tensor, right)
