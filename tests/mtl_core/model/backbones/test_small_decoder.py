"""Small decoders for encoders that have none."""

import pytest
import torch
from encoders import tiny
from torch.nn.functional import cross_entropy
from transformers import EncoderDecoderModel, PreTrainedModel, PreTrainedTokenizerFast

from mtl_core.data.batching import Batch, WordPlaces
from mtl_core.errors import ConfigError
from mtl_core.model.attention import use_fast_attention
from mtl_core.model.backbones.small_decoder import SmallDecoder
from mtl_core.model.word_rows import use_row_embedding
from mtl_core.tasks.states import Hidden

LABELS = torch.tensor([[7, 8, 3], [9, 3, -100]])


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, models

    ids = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(ids, unk_token="[UNK]")),
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
    )


def small(family: str) -> PreTrainedModel:
    return tiny(family, vocab_size=40)


def hidden_of(encoder: PreTrainedModel) -> Hidden:
    ids = torch.tensor([[2, 11, 12, 3], [2, 21, 3, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    nothing = torch.zeros(2, 0, dtype=torch.long)
    batch = Batch(ids, mask, WordPlaces(nothing, nothing, nothing.bool(), nothing.sum(1)), {})
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    return Hidden(states, batch, lambda tokens, mask: tokens[:, 0])


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "electra"])
def test_layers_and_embeddings_are_the_encoders(
    family: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    encoder = small(family)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    writer = SmallDecoder(layers=2).build(encoder, tokenizer)
    base = writer.whole.decoder.base_model
    for copied, source in ((0, 0), (1, 2)):  # the lowest and the top one of three
        own, other = base.encoder.layer[copied], encoder.encoder.layer[source]
        torch.testing.assert_close(
            own.attention.self.query.weight, other.attention.self.query.weight
        )
        torch.testing.assert_close(own.output.dense.weight, other.output.dense.weight)
    words = base.get_input_embeddings().weight
    torch.testing.assert_close(words, encoder.get_input_embeddings().weight)
    assert words is writer.whole.get_output_embeddings().weight
    # A copy: the encoder goes its own way, and nothing of it has changed.
    assert words is not encoder.get_input_embeddings().weight
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_new_is_what_was_not_copied(tokenizer: PreTrainedTokenizerFast) -> None:
    copied = SmallDecoder(layers=1).build(small("bert"), tokenizer)
    new = set(copied.new_parameters())
    names = [name for name, one in copied.whole.named_parameters() if one in new]
    assert all(".crossattention." in name or ".cls." in name for name in names)
    assert any(".crossattention." in name for name in names)
    drawn = SmallDecoder(layers=1, init="random").build(small("bert"), tokenizer)
    assert set(drawn.new_parameters()) == set(drawn.parameters())


@pytest.mark.parametrize("family", ["bert", "mpnet", "deberta-v2", "albert", "modernbert"])
def test_a_new_decoder_writes_for_any_encoder(
    family: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    encoder = small(family)
    writer = SmallDecoder(layers=1, init="random").build(encoder, tokenizer)
    logits = writer.logits(hidden_of(encoder), LABELS)
    assert logits.shape == (5, encoder.config.vocab_size)
    cross_entropy(logits, LABELS[LABELS != -100]).backward()
    assert all(one.grad is not None for one in writer.parameters())
    assert encoder.get_input_embeddings().weight.grad is not None  # the source is looked at


def test_copied_layers_see_what_the_encoder_saw_of_the_source(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    encoder = small("bert")
    writer = SmallDecoder(layers=2).build(encoder, tokenizer)
    encoder.eval(), writer.eval()
    first = writer.logits(hidden_of(encoder), LABELS)
    hidden = hidden_of(encoder)
    hidden.tokens.data[0] += torch.randn(hidden.tokens.shape[1:])
    second = writer.logits(hidden, LABELS)
    assert not torch.allclose(first[:3], second[:3])
    torch.testing.assert_close(first[3:], second[3:])  # that of the other row


def test_the_same_seed_draws_the_same_decoder(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = small("bert")
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        writer = SmallDecoder(layers=1).build(encoder, tokenizer)
        drawn.append({name: value.clone() for name, value in writer.state_dict().items()})
    assert all(torch.equal(value, drawn[1][name]) for name, value in drawn[0].items())
    assert any(not torch.equal(value, drawn[2][name]) for name, value in drawn[0].items())


def test_a_second_decoder_leaves_the_encoder_as_a_run_had_made_it(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    encoder = small("bert")
    use_row_embedding(encoder, encoder.get_input_embeddings())  # a new module, of old weights
    use_fast_attention(encoder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    for _ in range(2):
        writer = SmallDecoder(layers=1).build(encoder, tokenizer)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert isinstance(writer.whole, EncoderDecoderModel)
    config = encoder.encoder.layer[0].attention.self.config
    assert config is encoder.config


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("mpnet", {}, "no decoder with cross attention of the family 'mpnet'.*use random"),
        ("albert", {}, "no decoder with cross attention of the family 'albert'"),
        ("bert", {"layers": 4}, "decoder.layers: expected at most 3.*found 4"),
    ],
)
def test_what_cannot_be_copied_is_refused(
    family: str, settings: dict[str, int], message: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    with pytest.raises(ConfigError, match=message):
        SmallDecoder(**settings).build(small(family), tokenizer)


def test_a_tokenizer_without_an_end_is_refused(tokenizer: PreTrainedTokenizerFast) -> None:
    tokenizer.sep_token = None
    with pytest.raises(ConfigError, match="no special token that ends a text"):
        SmallDecoder().build(small("bert"), tokenizer)
