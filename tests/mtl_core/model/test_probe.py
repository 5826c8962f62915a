"""What running an encoder shows of it: rows and words that it takes, segments, the width."""

from pathlib import Path

import pytest
import torch
from token_encoders import FAMILIES, half, random_model, save_family
from torch import Tensor, nn
from transformers import AutoModel

from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder, token_encoder
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.model.forward_pass import word_table
from mtl_core.model.outline import encoder_outline, longest_input
from mtl_core.model.probe import facts_of
from mtl_core.model.word_rows import RowEmbedding, use_row_embedding

BEHIND_PADDING = [name for name, settings in FAMILIES.items() if settings.get("pad_token_id") == 1]
"""Their first position is 2: tables of 42 have room for 40."""


@pytest.mark.parametrize("family", FAMILIES)
def test_longest_input_is_what_the_model_takes(
    family: str, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path, family, sample["train"])
    tokenizer = load_tokenizer(str(tmp_path))
    tokenizer.model_max_length = 10_000
    model = half(AutoModel.from_pretrained(tmp_path)).eval()

    def runs(length: int) -> bool:
        ids = torch.tensor([7, 9]).repeat(length)[:length].unsqueeze(0)
        try:
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
        except (IndexError, RuntimeError):
            return False
        return True

    found = encoder_outline(Encoder(name=str(tmp_path))).longest
    assert longest_input(tokenizer, Encoder(name=str(tmp_path))) == (found or 10_000)
    assert runs(found or 300)
    # Where more would run, the configuration says that the model was not made for more, or all
    # that comes after the last position shares it, as in ProphetNet.
    named = getattr(model.config, "max_position_embeddings", None)
    assert found is None or not runs(found + 1) or found == named or family == "prophetnet"
    if family in BEHIND_PADDING:
        assert found == 40


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_a_step_get_the_gradients_of_the_whole_table(family: str) -> None:
    encoder = token_encoder(random_model(family, vocab_size=99))
    table = word_table(encoder)
    if not facts_of(encoder).reads_token_ids:
        # No table at all, a quantised one, and tables that are more than a look-up.
        assert family in ("canine", "ibert")
        return
    assert isinstance(table, nn.Embedding)
    ids, mask = (
        torch.tensor([[7, 9, 8, 7], [6, 9, 0, 0]]),
        torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    )

    def gradient(leaf: Tensor) -> Tensor:
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return torch.autograd.grad(states[mask.bool()].pow(3).sum(), leaf)[0]

    whole = gradient(table.weight)
    padding = table.padding_idx or 0
    read = torch.tensor([number for number in (0, 6, 7, 8, 9) if number != padding] + [padding])
    changed = use_row_embedding(encoder, table)
    if not isinstance(changed, RowEmbedding):  # BART's multiplies, too: it trains as a whole.
        assert type(table) is not nn.Embedding
        return
    changed.pick(read, table.weight.detach()[read])
    assert changed.rows is not None
    torch.testing.assert_close(gradient(changed.rows), whole[read], rtol=1e-4, atol=1e-5)
    others = torch.ones(len(whole), dtype=torch.bool)
    others[read] = False
    assert not whole[others].any()


@pytest.mark.parametrize(
    ("family", "uses_all"),
    [("bert", True), ("t5", True), ("gpt2", True), ("esm", False), ("luke", False)],
)
def test_weights_that_no_text_reaches(family: str, uses_all: bool) -> None:
    encoder = token_encoder(random_model(family, vocab_size=99))
    assert facts_of(encoder).uses_all == uses_all
    ids = torch.tensor([[7, 9, 8]])
    encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters()) == uses_all


def test_words_under_two_names_are_read_through_both() -> None:
    encoder = random_model("bert", vocab_size=99)
    encoder.shared = encoder.embeddings.word_embeddings
    changed = use_row_embedding(encoder, encoder.get_input_embeddings())
    assert encoder.shared is encoder.embeddings.word_embeddings is changed


def test_one_segment_is_no_place_for_a_second() -> None:
    # As RoBERTa is published: its table has one row, and a tokenizer may still number two.
    assert not facts_of(random_model("roberta", vocab_size=99, type_vocab_size=1)).takes_segments


def test_output_may_be_wider_or_narrower_than_the_configuration_says() -> None:
    assert facts_of(random_model("opt", vocab_size=99)).width == 16  # of a hidden size of 24
    narrow, settings = "reformer", {"axial_pos_embds": False}
    assert facts_of(random_model(narrow, vocab_size=99, **settings)).width == 48


def test_sub_words_without_embeddings_are_refused(
    sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path, "bert", sample["train"])
    tokenizer = load_tokenizer(str(tmp_path))
    known = len(tokenizer)
    tokenizer.add_tokens([f"new{number}" for number in range(8)])  # as many as there are rows left
    assert longest_input(tokenizer, Encoder(name=str(tmp_path))) == 42
    tokenizer.add_tokens(["one more"])
    with pytest.raises(
        ConfigError,
        match=rf"up to {known + 8}, .* for {known + 8} alone, up to {known + 7}; resize",
    ):
        longest_input(tokenizer, Encoder(name=str(tmp_path)))
