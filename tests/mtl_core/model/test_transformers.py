"""The private parts of Transformers are what they were in the version that they were read in."""

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import torch
from encoders import tiny
from torch import Tensor, nn
from transformers import PreTrainedModel

from mtl_core.model._transformers import (
    chosen_attention,
    register_attention,
    sdpa,
    without_weights,
)
from mtl_core.model.backbones.encoder import Encoder


def test_the_version_is_the_one_whose_private_parts_are_known() -> None:
    """Of another version, read `mtl_core/model/_transformers.py` against its source first."""
    assert version("transformers").startswith("5.23.")


def test_a_registered_attention_is_called_with_the_masks_of_sdpa() -> None:
    masks: list[Tensor | None] = []

    def attention(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **others: object,
    ) -> tuple[Tensor, None]:
        masks.append(attention_mask)
        return sdpa(module, query, key, value, attention_mask, **others)

    register_attention("of_the_test", attention)
    encoder = tiny("bert").eval()
    assert chosen_attention(encoder) == "sdpa"
    ids = torch.arange(5, 11).reshape(2, 3)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    expected = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    encoder.set_attn_implementation("of_the_test")
    assert chosen_attention(encoder) == "of_the_test"
    found = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(found, expected)
    assert len(masks) == 3
    for given in masks:
        assert given is not None
        assert given.dtype == torch.bool  # True where a query may look.
        assert torch.equal(given[:, 0, 0], mask.bool())


def test_a_model_without_weights_draws_none_and_has_its_tables() -> None:
    torch.manual_seed(3)
    with without_weights():
        encoder = tiny("bert", hidden_size=64)
    # `tiny` seeds with 0; what would be drawn next is what is drawn first.
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))
    assert torch.equal(encoder.embeddings.position_ids, torch.arange(64).unsqueeze(0))
    # And afterwards weights are drawn again.
    assert tiny("bert").embeddings.word_embeddings.weight.std() > 0.01


def test_threads_that_load_at_once_leave_the_classes_of_transformers_as_they_were(
    tiny_encoder: Path,
) -> None:
    """Tied weights would stay apart, without data, in every model that is loaded later."""
    before = PreTrainedModel.tie_weights
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Encoder(name=str(tiny_encoder)).load(), range(24)))
    assert PreTrainedModel.tie_weights is before
    assert not any(weight.is_meta for encoder in found for weight in encoder.parameters())
