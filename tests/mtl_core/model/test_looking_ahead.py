"""The highest layers of a decoder look ahead: against Transformers' own way, layer by layer."""

import pytest
import torch
from encoders import DECODERS, LIKE_LLAMA, tiny
from torch import Tensor
from transformers import PreTrainedModel

from mtl_core.model.attention import use_fast_attention
from mtl_core.model.checkpointing import use_checkpointing
from mtl_core.model.families import FAMILIES
from mtl_core.model.looking_ahead import Sight, looking_ahead
from mtl_core.model.prefix import run_prefix, run_suffix

IDS = torch.arange(5, 29).reshape(2, 12)
MASK = (IDS < 25).long()  # the second row is padded
INPUTS = {"input_ids": IDS, "attention_mask": MASK, "use_cache": False}


def states(encoder: PreTrainedModel, layers: int, mask: Tensor = MASK) -> Tensor:
    with looking_ahead(encoder, mask, layers=layers):
        found: Tensor = encoder(**INPUTS | {"attention_mask": mask}).last_hidden_state
    return found[mask.bool()]


def seen_by_the_first(encoder: PreTrainedModel, layers: int) -> list[bool]:
    """Returns which positions of a row the last hidden state of its first one depends on."""
    table = encoder.get_input_embeddings()
    kept: list[Tensor] = []
    hook = table.register_forward_hook(lambda _, __, out: kept.append(out.requires_grad_()))
    with looking_ahead(encoder, MASK, layers=layers):
        output = encoder(**INPUTS).last_hidden_state
    hook.remove()
    # The last one: an encoder is run by itself, too, the first time that something is asked of it.
    (gradient,) = torch.autograd.grad(output[1, 0].pow(3).sum(), kept[-1:])
    return [bool(one.abs().sum() > 1e-6) for one in gradient[1]]


@pytest.mark.parametrize("family", [name for name, one in FAMILIES.items() if one.looks_back])
def test_the_first_token_sees_all_others_but_padding(family: str) -> None:
    encoder = tiny(family).eval()
    length = int(MASK[1].sum())
    assert seen_by_the_first(encoder, 0) == [True] + [False] * 11
    for layers in (1, 3):
        assert seen_by_the_first(encoder, layers) == [n < length for n in range(12)]


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("mask", [MASK, torch.ones_like(MASK)], ids=["padded", "whole"])
def test_all_layers_ahead_are_what_transformers_makes_of_is_causal(
    family: str, mask: Tensor
) -> None:
    encoder = tiny(family).eval()
    found = states(encoder, 3, mask)
    before = states(encoder, 0, mask)
    encoder.config.is_causal = False
    for module in encoder.modules():
        if hasattr(module, "is_causal"):
            module.is_causal = False
    torch.testing.assert_close(found, states(encoder, 0, mask), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, before, atol=1e-3)


@pytest.mark.parametrize("family", [*DECODERS, *LIKE_LLAMA])
def test_the_lower_layers_stay_as_they_are_and_can_be_left_out(family: str) -> None:
    encoder = tiny(family).eval()
    names = [name for name, _ in encoder.named_modules()]
    use_fast_attention(encoder)
    with torch.no_grad():
        below = run_prefix(encoder, 1, INPUTS)
        with looking_ahead(encoder, MASK, layers=2):
            assert torch.equal(run_prefix(encoder, 1, INPUTS), below)
            found = run_suffix(encoder, 1, below, INPUTS)
            high = run_suffix(encoder, 2, run_prefix(encoder, 2, INPUTS), INPUTS)
        expected = states(encoder, 2)
    for one in (found, high):
        torch.testing.assert_close(one[MASK.bool()], expected, rtol=1e-4, atol=1e-5)
    assert [name for name, _ in encoder.named_modules()] == names


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_layers_that_are_computed_again_look_ahead_then_too(family: str) -> None:
    def gradients(is_on: bool) -> list[Tensor]:
        encoder = tiny(family)
        use_checkpointing(encoder, is_on=is_on)
        encoder.train()
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        states(encoder, 2).pow(2).sum().backward()
        return [p.grad for p in encoder.parameters() if p.grad is not None]

    for one, other in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(one, other)


def test_batches_of_tasks_that_write_look_back() -> None:
    sight = Sight(frozenset({"reply"}), 2)
    assert (sight.layers_ahead(["reply"]), sight.layers_ahead(["intent", "slots"])) == (0, 2)
