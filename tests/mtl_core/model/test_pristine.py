"""Pretrained weights that runs share: only what may change is copied, and all is put back."""

import torch
from torch import nn

from mtl_core.model.pristine import Pristine


def small() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    model.register_parameter("again", model[0].weight)  # one weight of two names
    return model


def test_changed_weights_and_buffers_are_put_back() -> None:
    model = small()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pristine = Pristine(model)
    for _ in range(2):
        pristine.keep([model[0].weight])
        with torch.no_grad():
            model[0].weight.zero_()
        model.train()(torch.randn(4, 3))  # moves the means of the norm
        assert all(torch.equal(pristine.weights[name], value) for name, value in before.items())
        pristine.restore()
        after = model.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())


def test_what_cannot_change_is_not_copied() -> None:
    model = small()
    pristine = Pristine(model)
    pristine.keep([model[2].weight])
    same = {name for name, value in pristine.weights.items()
            if value.data_ptr() == model.state_dict()[name].data_ptr()}  # fmt: skip
    assert same == {"again", "0.weight", "0.bias", "1.weight", "1.bias", "2.bias"}


def test_weights_to_begin_with_take_the_place_of_pretrained_ones() -> None:
    model, other = small(), small()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    pristine = Pristine(model)
    pristine.replace(other.state_dict())
    pristine.keep(list(model.parameters()))
    with torch.no_grad():
        model[2].bias.zero_()
    pristine.restore()
    assert torch.equal(model[2].bias, other[2].bias)
