"""The lower part of an encoder apart from the upper one: together they are the encoder."""

from typing import Any

import pytest
import torch
from encoders import DECODERS, FAMILIES, HALVES, LIKE_LLAMA, SEPARATE, tiny
from torch import Tensor

from mtl_core.model.freezing import FreezeLowerLayers, Gradual
from mtl_core.model.prefix import WHOLE, run_prefix, run_suffix

IDS = torch.arange(5, 29).reshape(2, 12)
MASK = (IDS < 25).long()  # the second row is padded


def inputs_of(family: str) -> dict[str, Any]:
    # As `as_inputs` has it: a decoder would otherwise keep what it computes for tokens to come.
    is_decoder = family in DECODERS | LIKE_LLAMA
    return {"input_ids": IDS, "attention_mask": MASK} | ({"use_cache": False} if is_decoder else {})


def depths(family: str) -> list[int]:
    if family == "albert":
        return [0, WHOLE]
    # With all layers below, a norm is left above in some.
    has_norm = family in ("m2m_100", "mbart", "modernbert", "mt5", "pegasus", "t5")
    return [0, 1, 2, 3 if has_norm or family in DECODERS | LIKE_LLAMA else WHOLE]


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        *((family, {}) for family in FAMILIES | HALVES | LIKE_LLAMA),
        ("deberta-v2", {"conv_kernel_size": 0}),  # as DeBERTa-v3 is
        ("electra", {"embedding_size": 32}),  # which projects nothing
    ],
)
def test_prefix_and_suffix_are_the_encoder(family: str, settings: dict[str, object]) -> None:
    encoder = tiny(family, **settings).eval()
    names = [name for name, _ in encoder.named_modules()]
    expected = encoder(**inputs_of(family)).last_hidden_state
    is_token = MASK.bool()
    for depth in depths(family):
        with torch.no_grad():
            below = run_prefix(encoder, depth, inputs_of(family))
        # What stands behind padding is 0 when it comes from the cache.
        found = run_suffix(encoder, depth, below * is_token.unsqueeze(-1), inputs_of(family))
        torch.testing.assert_close(found[is_token], expected[is_token], rtol=1e-5, atol=1e-6)
        assert [name for name, _ in encoder.named_modules()] == names


@pytest.mark.parametrize("family", [*SEPARATE, *HALVES])
def test_gradients_above_are_those_of_the_whole(family: str) -> None:
    encoder = tiny(family).eval()
    section = FreezeLowerLayers(layers=1)
    frozen = section.frozen_parameters(encoder, epoch=1)
    for parameter in encoder.parameters():
        parameter.requires_grad_(parameter not in frozen)
    trained = [p for p in encoder.parameters() if p.requires_grad]

    def gradients(hidden: Tensor) -> list[Tensor | None]:
        is_token = MASK.bool()
        return list(torch.autograd.grad(hidden[is_token].pow(3).sum(), trained, allow_unused=True))

    whole = gradients(encoder(**inputs_of(family)).last_hidden_state)
    with torch.no_grad():
        below = run_prefix(encoder, 1, inputs_of(family))
    for ours, theirs in zip(
        gradients(run_suffix(encoder, 1, below, inputs_of(family))), whole, strict=True
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_depths_of_gradual_unfreezing() -> None:
    encoder = tiny("bert")
    found = [Gradual(every=2).frozen_depth(encoder, epoch=epoch) for epoch in range(1, 9)]
    assert found == [2, 2, 1, 1, 0, 0, None, None]
    assert FreezeLowerLayers(layers=3).frozen_depth(encoder, epoch=1) == WHOLE
    assert FreezeLowerLayers(layers=3).frozen_depth(tiny("modernbert"), epoch=1) == 3
